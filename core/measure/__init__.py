"""Streams through layers: the sweep, what it looks at, and the pruning of a model layer by layer."""
