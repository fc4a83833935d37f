"""What predicts on the Allocate page: the anchors of the pruner and repair that are chosen, and what they say."""

from __future__ import annotations

import streamlit as st

from core.base.errors import UserError
from core.kinds.treatments import Treatment
from core.plan import responses
from core.plan.prediction import FLATTEST
from core.results import anchors
from core.results.anchors import Anchors
from core.results.evaluations import Evaluations
from core.store.profiles import Profile
from pages.ui import studies


def anchors_of(profile: Profile, treatment: Treatment, per_linear: bool = False) -> tuple[Anchors | None, str]:
    """Those of the studies in view, or None and why.

    Args:
        per_linear: budgets of linears are to be predicted.
    """
    groups = studies.groups(profile)
    known = str([entry.key for each in groups.values() for entry in each.entries])
    return _anchors(profile, treatment, per_linear, known, tuple(groups.values()))


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Profile: lambda profile: profile.entry.key})
def _anchors(
    profile: Profile, treatment: Treatment, per_linear: bool, known: str, _groups: tuple[Evaluations, ...]
) -> tuple[Anchors | None, str]:
    try:
        found = anchors.anchors(_groups, profile, treatment)
        responses.highest(profile, per_linear)
    except UserError as error:
        return None, str(error)
    found.predictor  # noqa: B018 - fitted once
    return found, ""


def curves(found: Anchors) -> dict[str, object]:
    """What predicts, as numbers that `hand.js` computes with."""
    fitted, curve = found.predictor, responses.of_profile(found.profile, responses.usual(found.profile))
    half = fitted.quantile * fitted.deviation
    numbers = {name: getattr(fitted, name) for name in ("power", "centre", "ends", "terms", "spread")}
    known = {"sparsity": curve.sparsity, "harm": curve.harm, "loss": found.study.dense.loss}
    return numbers | known | {"half": half, "flattest": FLATTEST}
