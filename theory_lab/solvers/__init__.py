"""Iterations with certificates."""
