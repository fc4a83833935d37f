"""Recipe to weights: the walk, its linears and calibration, and training of the weights that stay."""
