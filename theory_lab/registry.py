"""Our theories and the modules that hold their claims: names only, imported when asked for."""

THEORIES = {
    "connectivity": "theory_lab.theorems.connectivity.claims",
    "matrix_sensing": "theory_lab.theorems.matrix_sensing.claims",
    "rank_pruning": "theory_lab.theorems.rank_pruning.claims",
}
