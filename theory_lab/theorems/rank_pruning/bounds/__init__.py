"""The formulas of the theory, as printed: no iteration, no random numbers."""
