"""The best setting of a model: candidates, stages, answer."""
