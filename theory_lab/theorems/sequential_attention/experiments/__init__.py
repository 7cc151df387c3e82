"""Draw a problem, run an algorithm, measure: no formula of the theory."""
