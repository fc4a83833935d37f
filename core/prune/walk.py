"""Prune a whole model, layer after layer, each fed by the pruned layers before it."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from core.base import Array, UserError, frozen
from core.methods import PRUNERS, Pattern, Statistic, Treatment, Warn, dropped_layers, treatment
from core.methods.masked_weights import training_windows
from core.methods.quantisation import form_of
from core.models import anatomy
from core.models.anatomy import Linear
from core.models.loading import Loaded
from core.models.placement import forget, walk
from core.models.progress import Step
from core.models.replay import Call, leave_out, put_back
from core.models.run_cost import WALK_BATCH
from core.prune.calibration import DensePath, check_replay, recorded
from core.prune.layer_windows import batch_size, repair_windows
from core.prune.linears import Statistics, Sums, pruned, watched


@frozen
class Plan:
    """Sparsities by layer or linear, pruner and repair of a walk."""

    pruner: str
    sparsity: Array  # (layers,), the same for all linears of a layer, or (layers, linears)
    pattern: Pattern | None = None
    true_sequential: bool = False  # groups of linears in turn, on the outputs of the pruned ones before them
    repair: str | None = None

    @property
    def treatment(self) -> Treatment:
        return treatment(self.pruner, self.repair)


def check(plan: Plan, stacks: Sequence[Sequence[Linear]]) -> Array:
    """Check a plan against a model; return the sparsity of every linear, (layers, linears).

    Raises:
        UserError: the number of layers or linears differs; a kept layer has a sparsity outside [0, 1), or above 0 if
            whole layers are left out; a sparsity is not the pattern's; or a linear's inputs do not fall into the groups
            of the pattern, or of its format.
    """
    sparsity, row = np.asarray(plan.sparsity, dtype=float), PRUNERS[plan.treatment.pruner]
    layers, linears = len(stacks), max(map(len, stacks))
    if sparsity.shape not in ((layers,), (layers, linears)):
        raise UserError(
            f"the plan has sparsities of shape {sparsity.shape} for a model of {layers} layers with {linears} linears: "
            f"give one for every layer, or one for every layer and linear"
        )
    wanted = np.broadcast_to(sparsity if sparsity.ndim == 2 else sparsity[:, None], (layers, linears))
    gone, whole = dropped_layers(wanted), row.budget_unit.of_layers
    possible = (wanted == 0) if whole else (wanted >= 0) & (wanted < 1)  # NaN is wrong too
    possible[gone] = True
    for layer, linear in np.argwhere(~possible):
        right = "be 0" if whole else "lie from 0 to below 1"
        wrong = f"the sparsity of layer {layer} is {wanted[layer, linear]:g}: it must {right}"
        raise UserError(f"{wrong}, or be 1 in all of a layer that is left out")
    if plan.pattern:
        name, fixed = plan.pattern.name, plan.pattern.sparsity
        for layer, linear in np.argwhere(~np.isclose(wanted, fixed, rtol=0, atol=1e-9)):
            raise UserError(
                f"{name} fixes every layer's sparsity at {fixed:g}: the plan has {wanted[layer, linear]:g} in layer "
                f"{layer}"
            )
        for layer, stack in enumerate(stacks):
            for linear in stack:
                plan.pattern.check_width(linear.weight.shape[1], f"{linear.name} of layer {layer}")
    for layer, stack in enumerate(stacks if row.forms else ()):
        for linear, share in zip(stack if layer not in gone else (), wanted[layer], strict=False):
            try:
                form_of(share, row.forms).check_width(linear.weight.shape[1])
            except UserError as error:
                raise UserError(f"layer {layer}, {linear.name}: {error}") from error
    return wanted


CHECKED = 64  # tokens of one sequence on which every layer is first run by itself


@torch.no_grad()  # no inference mode: its tensors cannot be trained on
def prune_layers(
    loaded: Loaded, tokens: Tensor, plan: Plan, step: Step = lambda _: None, warn: Warn = warnings.warn
) -> Array:
    """Prune the model in place: statistics of layer l come from its dense self, fed by the pruned layers before it.

    All linears of a layer are judged on one run of the layer and pruned together, and the layer is run again for the
    inputs of the next. With `true_sequential` (an option of SparseGPT's code), and with a repair towards the dense
    path, the layer is run anew for each group of linears that read the same input, with the groups before it already
    pruned. A repair of windows follows, of a layer's attention and then of its MLP: the batches that it holds back
    enter no statistic. A repair of the whole model is not part of the walk. Without statistics nothing is run. A layer
    that the plan leaves out passes its input on, until `restored` ends.

    Args:
        tokens: (sequences, length) calibration tokens.
        plan: its sparsity columns follow the order of `anatomy.prunable`.
        warn: called with a sentence each time that extra damping was needed.

    Returns:
        (layers, linears) achieved sparsity, counted, or the share that formats save; NaN where a layer has fewer
        linears.

    Raises:
        UserError: the plan does not fit the model; a layer cannot be pruned, or run outside its model's forward, or
            its arguments depend on the streams of earlier layers; or the calibration run is not finite.
    """
    stacks = _checked_stacks(loaded)
    wanted, treatment = check(plan, stacks), plan.treatment
    windows, gone, pull = treatment.by("window"), dropped_layers(wanted), "pull" in treatment.statistics
    batches, streams, path = _entered(loaded, tokens, treatment)
    read = training_windows(len(batches)) if windows else range(len(batches))
    achieved = np.full(wanted.shape, np.nan)
    runs = [[calls[index] for calls in batches] for index in range(len(stacks))]

    def enter(index):
        stack = stacks[index]
        sparsity = {linear.name: float(each) for linear, each in zip(stack, wanted[index], strict=False)}
        if path:
            path.enter(index, stack)
        if index in gone:
            achieved[index, : len(stack)] = 1
            if path:  # which goes through it
                path.leave()
            return leave_out(loaded.layers[index])
        in_turn = batches and (plan.true_sequential or pull)
        for group in _groups(stack, runs[index], streams) if in_turn else [stack]:
            statistics = _statistics(group, runs[index], streams, treatment.statistics, path if pull else None, read)
            for linear in group:
                share = sparsity[linear.name]
                linear.module.weight.copy_(pruned(linear, index, treatment, statistics, share, plan.pattern, warn))
        if windows:
            repair_windows(windows.repair, index, stack, runs[index], streams, path)
        zeros = [anatomy.zeros(each.weight) for each in stack]
        achieved[index, : len(stack)] = wanted[index, : len(stack)] if PRUNERS[plan.pruner].forms else zeros

    def leave(index):
        if path and index not in gone:
            path.leave()
        step(index)

    walk(loaded.layers, runs, streams, leave, enter, keep=True)
    return achieved


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


@contextmanager
def restored(loaded: Loaded) -> Iterator[None]:
    """Restore on exit, bit for bit, all weights and layers that were pruned or left out inside."""
    weights = (each for layer in loaded.layers for each in layer.parameters())
    copies = {each: each.detach().clone() for each in weights if not each.is_meta}  # streamed ones stay where they lie
    try:
        yield
    finally:
        forget(loaded.layers)
        for layer in loaded.layers:
            put_back(layer)
        with torch.no_grad():
            for each, before in copies.items():
                each.copy_(before)


def _checked_stacks(loaded: Loaded) -> list[list[Linear]]:
    """Linears of every layer; refuses weights that are shared with another module."""
    stacks = [anatomy.prunable(layer) for layer in loaded.layers]
    inside = {id(module) for layer in loaded.layers for module in layer.modules()}
    outside = [(name, module) for name, module in loaded.model.named_modules() if id(module) not in inside]
    owner = {id(value): name for name, module in outside for value in module.parameters(recurse=False)}
    for index, stack in enumerate(stacks):
        for linear in stack:
            name = f"{linear.name} of layer {index}"
            other = owner.setdefault(id(linear.module.weight), name)
            if other != name:
                raise UserError(f"{name} and {other} are the same weight: pruning one would prune the other too")
    return stacks


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
