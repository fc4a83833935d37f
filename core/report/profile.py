"""A profile as a part of a report: verdicts, gains, drift, dilution, responses, allocations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from core.ask import naming
from core.ask.allocations import USUAL, AllocationRequest, Correction
from core.ask.commands import Allocating, command_line
from core.ask.jobs import Request
from core.base.errors import UserError
from core.kinds import METHODS
from core.kinds.treatments import OF_ONE_LAYER
from core.plan import responses as response
from core.plan.gains import gains_of
from core.plan.spread import allocate, layer_parameters
from core.report import provenance, remake
from core.report.exhibits import exhibit, texts
from core.report.page import Command, Exhibit, Part, Table
from core.report.view import NOTHING, Seen
from core.results import precision
from core.results.checkpoints import compared
from core.show import figures
from core.show.figures import labels
from core.show.figures.charts import CHARTS, COMPARED
from core.show.figures.in_view import InView
from core.show.figures.responses import responses
from core.store.profiles import Profile
from core.store.results import Array

PREFERRED = ("gaussian:0.3", "residual:wanda:0.7")  # gains are drawn of these, where they were measured
TARGET, STRENGTH = 0.7, 0.04  # of the allocations that are drawn
ADDITIVE = (
    "These allocations are what the methods propose at 70 %. Only a study tells which costs least, and only for the "
    "model, text and pruner that it measured."
)


def part(found: Profile, asked: Request | None = None, seen: Seen = NOTHING) -> Part:
    """Everything that is reported of a profile.

    Args:
        seen: the view that it opens at: this perturbation comes first, this layer is marked.
    """
    spec = found.spec
    wanted = dict.fromkeys([*([seen.perturbation] if seen.perturbation else []), *PREFERRED, *found.others])
    drawn = [each for each in wanted if each in found.by_name] or list(found.by_name)[:1]
    note = provenance.note(found.entry, spec.model, spec.text)
    exhibits = [one for name in drawn for one in _of_perturbation(found, name, note, seen.layer)]
    pruned, commands = _allocations(found, note)
    said = {name: precision.finding(found, name) for name in drawn}
    return Part(
        key=found.entry.key,
        title=f"{found.provenance.get('model', spec.model.content)}: which layers amplify, which absorb?",
        sentences=(
            *(compared(found, name).worst for name in found.others),
            *(f"{_label(found, name)}: {said[name]}" for name in drawn),
            *filter(None, [precision.rounding(found)]),
            *([ADDITIVE] if pruned else []),
        ),
        exhibits=(*exhibits, *_responses(found, note), *pruned),
        tables=(("The verdict on every perturbation measured", verdicts(found)),),
        provenance=provenance.rows(found.entry, spec.model, spec.text),
        commands=(*remake.profile(found.entry, asked), *commands),
    )


def _label(found: Profile, name: str) -> str:
    asked = found.perturbations[name]
    where = f", at {labels.POSITIONS['all']}" if getattr(asked, "positions", "") == "all" else ""
    return asked.label + where


def verdicts(found: Profile) -> Table:
    """One sentence per perturbation."""
    rows = [(name, _label(found, name), precision.finding(found, name)) for name in found.by_name]
    return texts(("name", "perturbation", "verdict"), rows)


def _of_perturbation(found: Profile, name: str, note: str, wanted: int | None) -> list[Exhibit]:
    layer, why = _marked(found, name, wanted)
    said = f"{_label(found, name)}; the marked layer, {layer}, {why} · {note}"
    asked, prefix, of = InView(found, name, layer), f"{found.entry.key[:6]}-{name}", f": {_label(found, name)}"
    rows = (row for row in CHARTS if row.reported and (row.group != COMPARED or name in found.others))
    return [exhibit(lambda look, row=row: row.draw(replace(asked, look=look)), said, prefix, of) for row in rows]


def _marked(found: Profile, name: str, wanted: int | None) -> tuple[int, str]:
    """The layer of the view, else the one with the greatest gain; and which of the two it is."""
    if wanted is not None and 0 <= wanted < found.layers:
        return wanted, "is the one in view when the report was made"
    values = np.nan_to_num(gains_of(found.seeds(name)).value[:-1], nan=-np.inf)
    return int(values.argmax()) if values.size else 0, "has the greatest gain"


def _responses(found: Profile, note: str) -> list[Exhibit]:
    """Of every pruner that two or more sparsities were measured with."""
    shown = []
    for pruner, title in OF_ONE_LAYER.items():
        try:
            sparsities, harm = response.measured(found, pruner, "kl")
        except UserError:
            continue
        draw = partial(responses, sparsities, harm, response.NAMES["kl"], title)
        shown.append(exhibit(lambda look, draw=draw: draw(look=look), note, f"{found.entry.key[:6]}-{pruner}"))
    return shown


# --- allocations ---------------------------------------------------------------------------------------------------


def _allocations(found: Profile, note: str) -> tuple[list[Exhibit], list[Command]]:
    """Every base allocator as published and one correction, at one target; nothing where a model has no budget."""
    asked = possible(found)
    if not asked:
        return [], []
    lines = {name: sparsity for name, (_, sparsity) in asked.items()}
    shown = next(name for name in ("Response", "OWL", *lines) if name in lines)
    drawn = exhibit(lambda look: figures.methods(lines, shown, TARGET, look), note, found.entry.key[:6])
    again = {name: Allocating(profile=found.entry.key, allocation=request) for name, (request, _) in asked.items()}
    return [drawn], [Command(f"The allocation {name}:", command_line(each)) for name, each in again.items()]


def possible(found: Profile) -> dict[str, tuple[AllocationRequest, Array]]:
    """Name -> request and sparsity (layers,) of what this profile can answer at the target."""
    try:
        layer_parameters(found)
    except UserError:
        return {}
    plain = [AllocationRequest(base=form(), target=TARGET) for form in METHODS.values()]
    corrected = AllocationRequest(base=METHODS[USUAL](), target=TARGET, correction=Correction(strength=STRENGTH))
    answered = {}
    for request in (*plain, corrected):
        try:
            answered[naming.allocation(request)] = request, allocate(request, found).sparsity
        except UserError:  # this profile lacks what the allocator looks at
            continue
    return answered
