"""Group LASSO min_B f(X B) + ridge/2 |B|^2 + lam sum_g |B_g|, with a duality gap as certificate."""

from theory_lab.solvers.group_lasso.losses import Logistic, Loss, Multinomial, Squares
from theory_lab.solvers.group_lasso.problem import Problem
from theory_lab.solvers.group_lasso.proximal import accelerated
from theory_lab.solvers.group_lasso.working_set import Solution, solve

__all__ = ["Logistic", "Loss", "Multinomial", "Problem", "Solution", "Squares", "accelerated",
           "solve"]  # fmt: skip
