"""Real data sets as numpy arrays: find, check, decode. Torch-free."""
