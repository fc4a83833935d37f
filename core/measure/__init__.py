"""Streams through layers: the sweep, what it looks at, and the pruning of a model layer by layer."""

from core import lazily

__getattr__ = lazily(
    __name__,
    engines="Group Reader hooks largest_replay_error prepare wavefront",
    first_pass="clean_statistics",
    perturb="Moments normal perturbed seeded_generator selected_linears",
    shares="ROUNDING share_of_units",
    sketch="sketched",
    first_order="WORDS draw_words signed_changes",
    sweep="Sweep",
    weights="error removal",
)
