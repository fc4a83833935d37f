"""Streams through layers: the sweep, what it looks at, and the pruning of a model layer by layer."""

from core import lazily

__getattr__ = lazily(
    __name__,
    checkpoint_diff="layers_name refuse_unlike settings tensors",
    engines="Dense Group Reader hooks largest_replay_error prepare wavefront",
    first_order="WORDS draw_words signed_changes",
    first_pass="clean_statistics",
    perturb="Injection Moments Stream normal perturbed rescaled seeded_generator selected_linears",
    shares="ROUNDING share_of_units",
    sketch="sketched sketched_outside",
    sweep="Sweep",
    tensor_sketch="sketched_tensors",
    weights="error removal",
)
