"""What an export costs, said before it runs: it prunes once and evaluates nothing."""

from __future__ import annotations

import streamlit as st

from core.ask.requests import ExportRequest
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.spec import checked
from core.models import cost
from core.store.cache import Store
from pages.ui import frame

UNKNOWN = "The cost is not known until the model is on this machine."
LEAST = EvaluationRequest(text=WindowRequest(sequences=1, length=8))  # so that the memory is that of pruning


def say(asked: ExportRequest, device: str) -> None:
    """The cost of pruning one setting, as the Evaluate part says its own."""
    try:
        expected = of_pruning(asked, Store(), device)
    except UserError as error:
        frame.error(error)
        return
    st.markdown(f"**Pruning it once:** {cost.words(expected)}" if expected else UNKNOWN)


def of_pruning(asked: ExportRequest, store: Store, device: str) -> cost.Cost | None:
    """What pruning costs; None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    common = {name: getattr(asked, name) for name in ("model", "revision", "dtype", "profile", "calibration")}
    study = checked(StudyRequest, **common, settings=(asked.setting,), evaluation=LEAST)
    return cost.of_pruning(study, store, device)
