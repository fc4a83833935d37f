"""Recipe to weights: the walk, its linears and calibration, and training of the weights that stay."""

from core import lazily

__getattr__ = lazily(
    __name__,
    calibration="BACK DensePath added",
    distillation="Distillation load_checkpoint trainable_weights",
    exact_recipe="Texts by_linear check_recipes make_exact profile_of",
    inputs="Sums watched",
    pruned_model="count_zeros prune restored",
    walk="prune_layers prune_linear",
)
