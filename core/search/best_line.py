"""The command line that looks for a best setting again, from what was asked. No torch."""

from __future__ import annotations

import shlex

from core.search.roles import ROLES, shares
from core.specs.base import number
from core.specs.requests import BestRequest
from core.specs.texts import WindowRequest


def line(request: BestRequest) -> str | None:
    """`python -m core best ...`: profile, selection and judgement of every contender with all calibration seeds.

    None where its options cannot say what was asked: windows of several lengths, another packing, seed or start token,
    or documents that were named.

    Args:
        request: as it is stored, with the documents that each role was given.
    """
    texts = {role: getattr(request, role) for role in ROLES}
    if not _sayable(texts):
        return None
    words = ["python", "-m", "core", "best", "--model", request.model]
    options = {
        "revision": request.revision,
        "dtype": None if request.dtype == "float32" else request.dtype,
        "target": None if request.target is None else number(request.target),
        "max-loss": None if request.max_loss is None else _percent(request.max_loss),
        "pruner": request.pruner,
        **_sources(texts),
        "sequences": request.calibration.sequences,
        "windows": request.final.sequences,
        "length": request.final.length,
        "seeds": ",".join(map(str, request.seeds)),
        "profile": request.profile,
        "effort": request.effort,
    }
    words += [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(words)


def _sayable(texts: dict[str, WindowRequest]) -> bool:
    usual = WindowRequest()
    alike = {(each.length, each.packing, each.bos, each.seed) for each in texts.values()}
    plain = alike == {(texts["final"].length, usual.packing, usual.bos, usual.seed)}
    return plain and texts["selection"].sequences == texts["final"].sequences and _cut_by_itself(texts)


def _cut_by_itself(texts: dict[str, WindowRequest]) -> bool:
    """Whether the documents of every role are those that `core.search.roles.cut` gives it where none are named."""
    for source in {each.source for each in texts.values()}:
        sharing = {role: each.documents for role, each in texts.items() if each.source == source}
        spans = list(sharing.values())
        if len(spans) == 1 or None in spans:
            if spans != [None]:
                return False
        elif spans[-1][1] < len(spans) - 1 or spans != shares(spans[-1][1] + 1, [ROLES[role] for role in sharing]):
            return False
    return True


def _sources(texts: dict[str, WindowRequest]) -> dict[str, str]:
    sources = {role: each.source for role, each in texts.items()}
    return {"text": sources["final"]} if len(set(sources.values())) == 1 else sources


def _percent(loss: float) -> str:
    """As the command line reads it: above 1 only with its sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"
