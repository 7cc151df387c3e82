"""Where the statements come from."""

from theory_lab.core import Source

PRUNING = "arXiv:2006.09358"
DYNAMICS = "arXiv:1909.10072"

OBJECTIVE = Source(PRUNING, "definition of directional pruning, made explicit (lab's formulation)")
ASYMPTOTIC = Source(PRUNING, "gRDA performs directional pruning, made explicit (lab's formulation)")
WEAK_LIMIT = Source(DYNAMICS, "weak limit of the trajectories, made explicit (lab's formulation)")
BEYOND = Source(PRUNING, "beyond the theorem: what gRDA does at a finite step and after zeros")
