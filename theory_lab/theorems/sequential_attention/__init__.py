"""SequentialAttention++: differentiable pruning as a nonconvex group-sparse regulariser."""
