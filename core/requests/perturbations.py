"""Perturbations as text, and presets: named selections of them."""

from collections.abc import Iterable
from typing import NamedTuple

from core.base import Positions, UserError, brief, checked, look_up
from core.methods import GGUF, PERTURBATION_KINDS, PRUNERS, SPARSITIES, UNITS, Perturbation
from core.requests.measurements import Measurement, measurements

# The first word of a name -> the kinds that begin with it
WRITTEN = {}
for _form in PERTURBATION_KINDS.values():
    WRITTEN.setdefault(_form.first_word(), []).append(_form)


def in_order(perturbations: Iterable[Perturbation]) -> list[Perturbation]:
    """Sort perturbations by their kind's place in the table, then by pruner, then by size."""
    return sorted(perturbations, key=_place)


def _place(perturbation: Perturbation) -> tuple:
    words = [str(getattr(perturbation, part)) for part in perturbation.parts if part != perturbation.varies]
    return (
        list(PERTURBATION_KINDS).index(perturbation.kind),
        words,
        perturbation.strength,
        getattr(perturbation, "positions", "all") == "all",
    )


def perturbation(text: str, positions: Positions = "after_first") -> Perturbation:
    """Read `gaussian:0.3`, `gaussian:0.3@all`, `residual:wanda:0.7`, `residual_rescaled:wanda:0.7:-0.3`, `skip:mlp`.

    `quantised:3` is short for `residual:quantised:3`, and `quantised:Q4_0` for `residual:gguf:Q4_0`.

    `positions` is used where the text does not say and the kind has a choice: residuals and skip change every token.

    Raises:
        UserError: an unknown kind, a missing or superfluous part, a number out of range.
    """
    body, at, where = text.strip().partition("@")
    kind, _, level = body.partition(":")
    if kind in PRUNERS and PRUNERS[kind].levels and PRUNERS[kind].budget_unit.name in UNITS:  # short for a residual
        body = f"residual:{'gguf' if level.partition(':')[0] in GGUF.names else kind}:{level}"
        kind = "residual"
    forms = look_up(WRITTEN, kind, "perturbation")
    if forms[0].compares:
        body, at = text.strip(), ""
    form = forms[body.count(":") > len(forms[0].parts) and -1]  # the last one is of a part of the layer
    values = body.split(":", len(form.parts))[1:]
    if len(values) != len(form.parts):
        shape = ":".join((kind, *(f"<{name}>" for name in form.parts)))
        raise UserError(f"{brief(text)} is not a perturbation: write {shape}")
    fields = dict(zip(form.parts, values, strict=True))
    if "positions" in form.model_fields:
        fields["positions"] = where if at else positions
    elif at:
        raise UserError(f"{brief(text)}: {kind} changes every token by its nature; leave @{where} out")
    return checked(form, **fields)


# --- presets ---------------------------------------------------------------------------------------------------------


class Preset(NamedTuple):
    """The size of a text, and the measurements on it."""

    sequences: int
    length: int
    measurements: tuple[Measurement, ...]
    about: str
    sketch: bool = False


def _measured(names: str) -> tuple[Measurement, ...]:
    """Measurements of perturbations named in one text, separated by spaces."""
    return measurements(map(perturbation, names.split()))


LAYERS_ALONE = " ".join(f"residual:wanda:{sparsity}" for sparsity in SPARSITIES)
# Of every linear alone. Two serve: on the committed results predictions from them err as those from all six do, 2.7 %
# (median) for 2.6 %, and the budget per linear that they give costs 1 % more by the prediction from all six.
OF_LINEARS = (0.7, 0.9)
LINEARS_ALONE = " ".join(f"residual_linear:wanda:{sparsity}:each" for sparsity in OF_LINEARS)
QUICK = "gaussian:0.3 residual:wanda:0.7 skip"
STANDARD = f"{QUICK} gaussian:0.3@all gaussian:0.01 gaussian:1 residual:wanda:0.5 residual:wanda:0.9"
PAPER = _measured(
    f"{STANDARD} gaussian:0.1 gaussian:0.03 gaussian:0.01@all {LAYERS_ALONE} residual:magnitude:0.7 "
    "residual_rescaled:wanda:0.7:0.3 residual_rescaled:wanda:0.7:-0.3 covariance:0.3 covariance:0.1"
) + measurements([perturbation("gaussian:0.3")], [1])

PRESETS = {
    "quick": Preset(
        8,
        64,
        _measured(QUICK),
        "noise, pruning and skipping on a page of text: about a minute on two cores with the bundled model",
    ),
    "standard": Preset(
        8,
        128,
        _measured(STANDARD),
        "three noise sizes, three sparsities, skipping, and a sketch of every linear at every sparsity and number "
        "format: ten minutes on two cores with the bundled model",
        sketch=True,
    ),
    "linears": Preset(
        8,
        64,
        _measured(f"gaussian:0.3 {LAYERS_ALONE} {LINEARS_ALONE}"),
        "six sparsities of every layer and two of every linear alone, the control of the sketch: 25 minutes on two "
        "cores with the bundled model",
    ),
    "parts": Preset(
        8,
        64,
        _measured(
            f"{QUICK} skip:attention skip:mlp mean:attention mean:mlp gaussian:0.3:attention gaussian:0.3:mlp "
            "residual:wanda:0.7:attention residual:wanda:0.7:mlp skip:head:each"
        ),
        "attention, MLP and each head, left out, at their mean, under noise or pruned: six minutes on two cores with "
        "the bundled model",
    ),
    "paper": Preset(
        128,
        2048,
        PAPER,
        "five noise sizes, six sparsities, the controls and the sketch on 128 windows of 2048 tokens: for a GPU",
        sketch=True,
    ),
}
