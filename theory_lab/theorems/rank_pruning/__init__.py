"""Rank of pruned weight matrices and the adversarial rank loss (arXiv:2311.17493)."""
