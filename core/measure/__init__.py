"""Two passes over a text: statistics of the clean run, then one perturbation at every layer."""
