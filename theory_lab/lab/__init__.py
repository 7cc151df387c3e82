"""Runs experiments, keeps their records, and judges claims on them. No mathematics here."""
