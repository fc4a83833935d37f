"""Planning a budget over layers or linears, from a profile, in pure numpy: levels, solvers, correction, prediction."""
