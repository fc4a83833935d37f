"""What predicts on the Allocate page: the anchors of the pruner and repair that are chosen, and what they say."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.kinds.treatments import Treatment
from core.plan import responses
from core.plan.prediction import FLATTEST
from core.results import anchors, protocols
from core.results.anchors import Anchors
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.store.profiles import Profile
from pages.ui import studies


def anchors_of(profile: Profile, treatment: Treatment) -> Anchors:
    """Those of the studies in view.

    Raises:
        UserError: as `anchors.anchors`.
    """
    groups = studies.groups(profile)
    known = [entry.key for each in groups.values() for entry in each.entries]
    found = _anchors(profile, treatment, known, tuple(groups.values()))
    if isinstance(found, str):
        raise UserError(found)
    return found


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Profile: lambda profile: profile.entry.key})
def _anchors(
    profile: Profile, treatment: Treatment, known: list[str], _groups: tuple[Evaluations, ...]
) -> Anchors | str:
    try:
        found = anchors.anchors(_groups, profile, treatment)
    except UserError as error:
        return str(error)
    found.predictor  # noqa: B018 - fitted once
    return found


def curves(found: Anchors) -> dict[str, object]:
    """What predicts, as numbers that `hand.js` computes with."""
    fitted, curve = found.predictor, responses.of_profile(found.profile, responses.usual(found.profile))
    half = fitted.quantile * fitted.deviation
    numbers = {name: getattr(fitted, name) for name in ("power", "centre", "ends", "terms", "spread")}
    known = {"sparsity": curve.sparsity, "harm": curve.harm, "loss": found.study.dense.loss}
    return numbers | known | {"half": half, "flattest": FLATTEST}


# --- what was measured of an allocation's correction ---------------------------------------------------------------


class Measured(NamedTuple):
    """A measured point of a base and its corrections."""

    control: str
    strength: float
    perplexity: float
    moved: bool  # measured elsewhere: the change from its base there, from what is predicted of the base here


_alike = lru_cache(maxsize=8)(protocols.by_protocol)


def corrections(
    groups: tuple[Evaluations, ...], request: AllocationRequest, found: Anchors, base: float
) -> tuple[list[Measured], str]:
    """What was measured of a base and of all that corrects it by the same gains, and where the moved ones were, if any.

    These are of the same base by another protocol, else of the same method with other parameters.

    Args:
        base: its predicted perplexity.
    """
    here, elsewhere = [], defaultdict(list)
    for study in _alike(groups):
        for one in study.settings if study.dense else ():
            plainly = one.setting.treatment == found.treatment and not (
                one.setting.pattern or one.setting.true_sequential
            )
            if not (plainly and one.finite and _driven_alike(one, request)):
                continue
            if one.setting.allocation.plain == request.plain and protocols.protocol(study.spec) == protocols.protocol(
                found.study.spec
            ):
                here.append(Measured(one.control, one.strength, one.perplexity, False))
            elif one.base and _same_method(one, request):
                elsewhere[protocols.short(study), one.base.setting.allocation].append(one)
    known = {(each.control, each.strength) for each in here}
    best = max(elsewhere, key=lambda at: (at[1] == request.plain, len(elsewhere[at])), default=None)
    moved = [
        Measured(one.control, one.strength, base * (1 + one.against_base.value / 100), True)
        for one in elsewhere.get(best, ())
        if (one.control, one.strength) not in known
    ]
    return here + moved, f"{best[0]}, {naming.long(best[1])}" if moved else ""


def _driven_alike(one: EvaluatedSetting, request: AllocationRequest) -> bool:
    fix, wanted = one.setting.allocation.correction, request.correction
    return not fix.strength or (fix.driver, fix.clip) == (wanted.driver, wanted.clip)


def _same_method(one: EvaluatedSetting, request: AllocationRequest) -> bool:
    asked = one.setting.allocation
    return (asked.base.kind, asked.target) == (request.base.kind, request.target)
