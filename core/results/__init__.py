"""Numbers from results: how drift spreads, evaluated settings and how they compare, the answer of a search."""
