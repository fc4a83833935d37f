"""Perturbations are listed by kind and size, whatever order they were measured in."""

from core.requests.perturbations import in_order, perturbation


def test_perturbations_are_listed_by_kind_then_by_what_is_pruned_then_by_size():
    wanted = [
        "gaussian:0.03", "gaussian:0.3", "gaussian:0.3@all", "gaussian:1", "gaussian:0.1:mlp",
        "gaussian:0.3:mlp", "covariance:0.1", "residual:magnitude:0.7", "residual:wanda:0.5",
        "residual:wanda:0.9", "residual_rescaled:wanda:0.7:-0.3",
        "residual_rescaled:wanda:0.7:0.3", "skip", "skip:attention", "skip:mlp", "skip:head:2", "skip:head:10",
    ]  # fmt: skip
    shuffled = [perturbation(name) for name in sorted(wanted, reverse=True)]
    assert [each.name for each in in_order(shuffled)] == wanted
