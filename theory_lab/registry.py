"""Our theories and the modules that hold their claims: names only, imported when asked for."""

THEORIES = {
    "connectivity": "theory_lab.theorems.connectivity.claims",
    "directional_pruning": "theory_lab.theorems.directional_pruning.claims",
    "matrix_sensing": "theory_lab.theorems.matrix_sensing.claims",
    "rank_pruning": "theory_lab.theorems.rank_pruning.claims",
    "sequential_attention": "theory_lab.theorems.sequential_attention.claims",
    "trials": "theory_lab.trials.claims",
}
