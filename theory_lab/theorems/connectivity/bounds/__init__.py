"""The formulas: effective masks, random pruning, layer quotas, flows of saliency."""
