"""How sure a trial has to be."""

LEVEL = 0.05
"""Level of an interval over seeds: with 5 of them, the level of theorems would show nothing."""
