"""Connectivity of pruned networks: effective sparsity (arXiv:2107.02306)."""
