"""Numbers and verdicts from results: gains, dilution, responses, evaluated settings and how they compare."""
