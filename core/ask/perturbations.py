"""What is done to the output of a layer, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable

from core.base.errors import UserError
from core.base.escape import brief
from core.base.spec import Positions, checked
from core.kinds import FORMS, Perturbation

EACH = "each"  # linear: stands for every linear of the model, one measurement for each


def in_order(asked: Iterable[Perturbation]) -> list[Perturbation]:
    """Perturbations as they are listed everywhere: by kind as in the table, then by what is pruned, then by size."""
    return sorted(asked, key=_place)


def _place(asked: Perturbation) -> tuple:
    words = [str(getattr(asked, part)) for part in asked.parts if part != asked.varies]
    return list(FORMS).index(asked.kind), words, asked.strength, getattr(asked, "positions", "all") == "all"


def perturbation(text: str, positions: Positions = "after_first") -> Perturbation:
    """Read `gaussian:0.3`, `gaussian:0.3@all`, `residual:wanda:0.7`, `residual_rescaled:wanda:0.7:-0.3`, `skip`.

    `positions` is used where the text does not say and the kind has a choice: residuals and skip change every token.

    Raises:
        UserError: an unknown kind, a missing or superfluous part, a number out of range.
    """
    body, at, where = text.strip().partition("@")
    kind = body.partition(":")[0]
    if kind not in FORMS:
        raise UserError(f"there is no perturbation {brief(kind)}: known are {', '.join(FORMS)} (as in gaussian:0.3)")
    form = FORMS[kind]
    if form.compares:
        body, at = text.strip(), ""
    values = body.split(":", 1 if form.compares else -1)[1:]
    if len(values) != len(form.parts):
        shape = ":".join((kind, *(f"<{name}>" for name in form.parts)))
        raise UserError(f"{brief(text)} is not a perturbation: write {shape}")
    given: dict[str, str] = dict(zip(form.parts, values, strict=True))
    if "positions" in form.model_fields:
        given["positions"] = where if at else positions
    elif at:
        raise UserError(f"{brief(text)}: {kind} changes every token by its nature; leave @{where} out")
    return checked(form, **given)
