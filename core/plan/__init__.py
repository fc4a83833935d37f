"""How a budget is spread over layers, from a profile, in pure numpy: units, the solver, the correction."""
