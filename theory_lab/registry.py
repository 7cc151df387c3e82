"""Our theories and the modules that hold their claims: names only, imported when asked for."""

THEORIES = {
    "matrix_sensing": "theory_lab.theorems.matrix_sensing.claims",
}
