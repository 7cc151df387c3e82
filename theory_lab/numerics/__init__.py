"""True of any array or graph."""
