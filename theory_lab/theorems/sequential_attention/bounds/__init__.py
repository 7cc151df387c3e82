"""The formulas of the paper, and those derived from it."""
