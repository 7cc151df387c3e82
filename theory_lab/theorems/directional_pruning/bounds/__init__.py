"""The formulas of directional pruning and gRDA."""
