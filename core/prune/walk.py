"""Prune a whole model, layer after layer, each fed by the pruned layers before it."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from core.base import Array, Broken, UserError, either
from core.methods import (
    PRUNERS,
    PRUNERS_WITHOUT_TEXT,
    Pattern,
    Statistic,
    Treatment,
    Warn,
    dropped_layers,
    pattern,
    training_windows,
)
from core.models import WALK_BATCH, Call, Linear, Loaded, Step, Tensors, anatomy, skip_layer, walk
from core.prune.calibration import DensePath, check_replay, recorded
from core.prune.exact_recipe import checked_stacks, sparsity_by_linear
from core.prune.inputs import Statistics, Sums, watched
from core.prune.layer_windows import batch_size, repair_windows
from core.requests import ExactRecipe

CHECKED = 64  # tokens of one sequence on which every layer is first run by itself


@torch.no_grad()  # no inference mode: its tensors cannot be trained on
def prune_layers(
    loaded: Loaded, tokens: Tensor, exact: ExactRecipe, step: Step = lambda _: None, warn: Warn = warnings.warn,
    norms: Sequence[Tensors] = (),
) -> Array:  # fmt: skip
    """Prune the model in place: statistics of layer l come from its dense self, fed by the pruned layers before it.

    All linears of a layer are judged on one run of it and pruned together, and it is run again for the inputs of the
    next. With `true_sequential` (an option of SparseGPT's code), and with a repair towards the dense path, it is run
    anew for each group of linears that read the same input, with the groups before it already pruned. A repair of
    windows follows, of its attention and then of its MLP: the batches that it holds back enter no statistic. Without
    statistics nothing is run. A layer that is left out passes its input on, until `restored` ends.

    Args:
        tokens: (sequences, length) calibration tokens.
        exact: its sparsity columns follow the order of `anatomy.prunable`.
        warn: called with a sentence each time that extra damping was needed.
        norms: per layer of each linear the norm of its inputs, (in,); then nothing is run.

    Returns:
        (layers, linears) achieved sparsity, counted, or the share that formats save; NaN for a missing linear.

    Raises:
        UserError: the recipe does not fit the model; a layer cannot be pruned, or run outside its model's forward, or
            its arguments depend on the streams of earlier layers; or the calibration run is not finite.
    """
    stacks = checked_stacks(loaded)
    table, treatment = sparsity_by_linear(exact, stacks), exact.treatment
    windows, gone, wanted = treatment.by("window"), dropped_layers(table), treatment.statistics
    batches, streams, path = ([], [], None) if norms else _entered(loaded, tokens, treatment)
    read = training_windows(len(batches)) if windows else range(len(batches))
    own, pulled = pattern(exact.pattern) if exact.pattern else None, path if "pull" in wanted else None
    runs = [[calls[index] for calls in batches] for index in range(len(stacks))]
    achieved, in_turn = np.full(table.shape, np.nan), batches and (exact.true_sequential or pulled)

    def enter(index):
        stack = stacks[index]
        shares = {linear.name: float(each) for linear, each in zip(stack, table[index], strict=False)}
        if path:
            path.enter(index, stack)
        if index in gone:
            achieved[index, : len(stack)] = 1
            if path:  # which goes through it
                path.leave()
            return skip_layer(loaded.layers[index])
        for group in _groups(stack, runs[index], streams) if in_turn else [stack]:
            sums = {"norm": norms[index]} if norms else _statistics(group, runs[index], streams, wanted, pulled, read)
            for linear in group:
                _overwrite(linear, prune_linear(linear, index, treatment, sums, shares[linear.name], own, warn))
        if windows:
            repair_windows(windows.repair, index, stack, runs[index], streams, path)
        zeros = [anatomy.zero_fraction(each.weight) for each in stack]
        achieved[index, : len(stack)] = table[index, : len(stack)] if PRUNERS[exact.pruner].levels else zeros

    def leave(index):
        if path and index not in gone:
            path.leave()
        step(index + 1)

    walk(loaded.layers, runs, streams, leave, enter, keep=True)
    return achieved


def _overwrite(linear: Linear, pruned: Tensor) -> None:
    linear.module.weight.copy_(pruned)
    linear.module.weight.packed = getattr(pruned, "packed", None)  # for an export


def _entered(
    loaded: Loaded, tokens: Tensor, treatment: Treatment
) -> tuple[list[list[Call]], list[Tensor], DensePath | None]:
    """Inputs of the walk: calls by batch, the streams before the first layer, the dense path."""
    windows, pull = treatment.by("window"), "pull" in treatment.statistics
    if not (windows or treatment.statistics):
        return [], [], None
    alike = check_replay(loaded, tokens[:1, :CHECKED])
    most = batch_size(tokens) if windows else WALK_BATCH
    batches, streams = recorded(loaded, tokens, alike, most)
    if not (windows or pull):
        return batches, streams, None
    own = batches if alike else recorded(loaded, tokens, alike, most)[0]  # stores that dense layers fill
    return batches, streams, DensePath(own, streams, loaded.record(tokens[:1, :CHECKED]))


def _groups(stack: list[Linear], runs: list[Call], streams: list[Tensor]) -> list[list[Linear]]:
    """Group linears by the input they read, in the order in which inputs arise; those never run come last."""
    groups = []
    left = {linear.name: linear for linear in stack}

    def see(names, _):
        groups.append([left.pop(name) for name in names if name in left])

    with watched(runs[0].layer, stack, see):
        runs[0](streams[0])
    return [group for group in (*groups, list(left.values())) if group]


def _statistics(
    stack: list[Linear],
    runs: list[Call],
    streams: list[Tensor],
    wanted: tuple[Statistic, ...],
    path: DensePath | None,
    read: Sequence[int],
) -> Statistics:
    """Statistics for the pruner and the repair, by linear, from runs of the layer as it is now, on some batches."""
    if not wanted:
        return {}
    sums = Sums(wanted)
    pulls = path.pulls(stack, runs, streams, sums.add, read) if path else {}
    if not path:
        with watched(runs[0].layer, stack, sums.add):
            for batch in read:
                runs[batch](streams[batch])
    return {each: pulls if each == "pull" else sums.of(each) for each in wanted}


def prune_linear(
    linear: Linear,
    layer: int,
    treatment: Treatment,
    statistics: Statistics,
    sparsity: float,
    pattern: Pattern | None = None,
    warn: Warn = warnings.warn,
) -> Tensor:
    """Prune a linear's weight and, if the treatment says so, repair it; laid out as its module stores it.

    Args:
        layer: its index, for messages.
        statistics: those that the treatment needs, by linear.
        warn: called with a sentence if extra damping was needed.

    Raises:
        UserError: there is no statistic of this linear, or the kernel cannot work with it.
        Broken: the statistic is not finite, or has no inverse.
    """
    where, row = f"layer {layer}, {linear.name}", PRUNERS[treatment.pruner]

    def tell(text):
        warn(f"{where}: {text}")

    try:
        seen = {each: _usable(statistics[each], linear, each) for each in treatment.statistics}
        weight = row.prune(linear.weight, seen.get(row.statistic), sparsity, pattern, tell)
        if repair := treatment.by("linear"):
            weight = repair.repair(linear.weight, weight, seen["second_moment"], tell, seen.get("pull"))
    except Broken as broken:
        raise Broken(f"{where}: {broken}", layer) from broken
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return linear.stored(weight)


def _usable(sums: Mapping[str, Tensor], linear: Linear, statistic: Statistic) -> Tensor:
    if linear.name not in sums:
        raise UserError(
            f"it is never run, so there is no {statistic} of its inputs: use {either(PRUNERS_WITHOUT_TEXT)}"
        )
    if not sums[linear.name].isfinite().all():
        raise Broken("its inputs are not finite: prune less before it, or use float32")
    return sums[linear.name].to(linear.weight.device)
