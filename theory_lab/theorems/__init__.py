"""One room per theory: formulas, experiments and the claims in which they meet."""
