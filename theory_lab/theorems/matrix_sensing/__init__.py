"""Greedy pruning with group Lasso for matrix sensing (arXiv:2303.11453)."""
