"""One theorem, one file; CLAIMS are all of them."""

from theory_lab.theorems.matrix_sensing.claims import (
    budget_law,
    fine_tuning,
    finite_samples,
    hessian_spectrum,
    orthogonality,
    overparameterised,
    pruned_loss,
    quadratic_network,
    survivors,
    unregularised,
)

CLAIMS = [
    *orthogonality.CLAIMS,
    *survivors.CLAIMS,
    *pruned_loss.CLAIMS,
    *hessian_spectrum.CLAIMS,
    *budget_law.CLAIMS,
    *unregularised.CLAIMS,
    *fine_tuning.CLAIMS,
    *overparameterised.CLAIMS,
    *finite_samples.CLAIMS,
    *quadratic_network.CLAIMS,
]
