"""Recipe to exact recipe: the sparsity of every linear, and the calibration windows behind the hashes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.base import Array, UserError
from core.methods import (
    KQUANTS,
    OUTSIDE,
    PRUNERS,
    dropped_layers,
    insist_on_ggml,
    level_at,
    pattern,
    steps_on,
    training_windows,
    validation_windows,
)
from core.models import Linear, Loaded, Reader, Source, anatomy
from core.models.windows import Windows, windows
from core.plan import linear_parameters, spread_budget
from core.prune import imatrix
from core.requests import ExactRecipe, ExportRequest, Recipe, StudyRequest
from core.store import Profile, Store, profiles

Texts = dict[str, Windows | imatrix.Importance]  # what recipes read, by the key of a text's spec or a matrix's hash


def make_exact(
    recipe: Recipe, request: StudyRequest | ExportRequest, loaded: Loaded, store: Store, calibration: Texts
) -> ExactRecipe:
    """Fix every number of a recipe; its calibration windows, or importance matrix, are added to `calibration`.

    Raises:
        UserError: the text is too short, the matrix or the profile of another model, the budget impossible, the model
            cannot be pruned, or a pattern does not fit it.
    """
    profile = profile_of(request.profile, loaded.source, store)
    sparsity = (
        spread_budget(recipe.allocation, anatomy.parameter_counts(loaded.layers), profile).exact.round(12).tolist()
    )
    read = matrix = None
    if request.imatrix:
        matrix = imatrix.given(Path(request.imatrix), loaded, store)
        calibration[matrix.content] = matrix
    elif recipe.treatment.reads_text:
        read = windows(request.calibration.replace(seed=recipe.calibration_seed), loaded)
        calibration.setdefault(read.spec.key, read)
    exact = ExactRecipe(
        sparsity=sparsity,
        calibration=read.spec if read else None,
        repair_method=recipe.treatment.repair_method,
        outside=recipe.allocation.outside or OUTSIDE,
        imatrix=matrix and matrix.content,
        **{name: getattr(recipe, name) for name in Recipe.model_fields.keys() & ExactRecipe.model_fields.keys()},
    )
    sparsity_by_linear(exact, list(map(anatomy.prunable_linears, loaded.layers)))
    return exact


def check_recipes(
    recipes: Sequence[Recipe], request: StudyRequest | ExportRequest, reader: Reader, store: Store
) -> None:
    """Refuse, before any weight is read, recipes that cannot be met whatever the weights are.

    Raises:
        UserError: as `make_exact`, for texts, the profile and the budgets that it spreads; or too few windows; or an
            importance matrix that a recipe does not go by.
    """
    read = request.calibration
    if any(each.treatment.reads_text for each in recipes):
        windows(read, reader)
    if any(row.of != "linear" for each in recipes for row in each.treatment.repairs):
        validation_windows(read.sequences)
    profile = profile_of(request.profile, reader.source, store)
    parameters = linear_parameters(profile) if profile else np.empty((0, 0))
    by_ggml = [each.treatment.budget_unit is KQUANTS for each in recipes]
    if any(by_ggml):
        insist_on_ggml()
    if request.imatrix:
        imatrix.opened(Path(request.imatrix), store)
        if not all(by_ggml):
            raise UserError("K- and IQ-types alone go by an importance matrix: leave it out, or set currency=kquants")
    for each in recipes:
        if tokens := each.recover_until or each.recover_tokens:
            steps_on(tokens, read.length)
        if each.pruner_windows and each.pruner_windows > (left := len(training_windows(read.sequences))):
            raise UserError(
                f"pruner_windows is {each.pruner_windows}, and of {read.sequences} calibration windows {left} are not "
                f"held back: give {left} or fewer, or more calibration windows"
            )
        if profile or each.allocation.base.profiled or each.allocation.correction.strength:
            spread_budget(each.allocation, parameters, profile)


def profile_of(key: str | None, source: Source, store: Store) -> Profile | None:
    """Load the profile that allocations read; None if none is named.

    Raises:
        UserError: there is no such profile, or it is of another model.
    """
    if key is None:
        return None
    profile = profiles.load(store, store.profile(key))
    if profile.spec.model.weights != (source.content, source.initialised):
        raise UserError(
            f"profile {profile.entry.key} is of {profile.provenance.get('model')}, not of {source.label}: "
            "name a profile of the model that is pruned"
        )
    return profile


def by_linear(values: Array, shape: tuple[int, ...]) -> Array:
    """Values of layers, or of linears already, as those of every linear: (layers, linears)."""
    return np.broadcast_to(values if values.ndim == 2 else values[:, None], shape)


def checked_stacks(loaded: Loaded) -> list[list[Linear]]:
    """Linears of every layer; refuses weights that are shared with another module."""
    stacks = [anatomy.prunable_linears(layer) for layer in loaded.layers]
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


def sparsity_by_linear(exact: ExactRecipe, stacks: Sequence[Sequence[Linear]]) -> Array:
    """Check a recipe against the linears of a model; return the sparsity of each, (layers, linears).

    Raises:
        UserError: the number of layers or linears differs; a kept layer has a sparsity outside [0, 1), or above 0 if
            whole layers are left out; a sparsity is not the pattern's; or a linear's inputs do not fall into the groups
            of the pattern, or of its format.
    """
    sparsity, row = np.asarray(exact.sparsity, dtype=float), PRUNERS[exact.pruner]
    layers, linears = len(stacks), max(map(len, stacks))
    if sparsity.shape not in ((layers,), (layers, linears)):
        raise UserError(
            f"the plan has sparsities of shape {sparsity.shape} for a model of {layers} layers with {linears} linears: "
            f"give one for every layer, or one for every layer and linear"
        )
    table = by_linear(sparsity, (layers, linears))
    own, gone = pattern(exact.pattern) if exact.pattern else None, dropped_layers(table)
    of_layers = row.budget_unit.of_layers
    for (layer, _), share in np.ndenumerate(table):
        if layer in gone:
            continue
        if not (share == 0 if of_layers else 0 <= share < 1):  # NaN neither
            right = "be 0" if of_layers else "lie from 0 to below 1"
            left_out = "be 1 in all of a layer that is left out"
            raise UserError(f"the sparsity of layer {layer} is {share:g}: it must {right}, or {left_out}")
        if own and abs(share - own.sparsity) > 1e-9:
            raise UserError(
                f"{own.name} fixes every layer's sparsity at {own.sparsity:g}: the plan has {share:g} in layer {layer}"
            )
    for layer, stack in enumerate(stacks if own or row.levels else ()):
        for linear, share in zip(stack if layer not in gone else (), table[layer], strict=False):
            try:
                width = linear.weight.shape[1]
                if form := own or level_at(row.levels, share).format:
                    (form if own else form.on(width)).check_width(width)
            except UserError as error:
                raise UserError(f"layer {layer}, {linear.name}: {error}") from error
    return table
