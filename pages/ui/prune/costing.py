"""What pruning once costs, said before it runs: for a continued text and an export, which evaluate nothing."""

from __future__ import annotations

import streamlit as st

from core import cost
from core.errors import UserError
from core.models.sources import locate, outlined
from core.settings import EvaluationRequest
from core.specs import WindowRequest
from core.store import Store
from pages.ui.prune.asking import Pruning

LEAST = EvaluationRequest(text=WindowRequest(sequences=1, length=8))  # so that the memory is that of pruning


def say(how: Pruning) -> None:
    """The cost of pruning the setting in view, as the Evaluate part says its own."""
    try:
        expected = of_pruning(how, Store())
    except UserError as error:
        st.error(str(error))
        return
    st.markdown(
        f"**Pruning it once:** {cost.words(expected)}"
        if expected
        else "What it costs is not known until the model is here."
    )


def of_pruning(how: Pruning, store: Store) -> cost.Cost | None:
    """Loading aside, what pruning costs; None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    study = cost.of_study(how.study((how.setting,), LEAST), store, how.device)
    if study is None:
        return None
    shape = outlined(locate(how.model, store, how.revision, fetch=False), store)
    flops = cost.walk_flops(shape, how.calibration)
    return cost.Cost(flops, study.memory, flops / study.rate, study.rough, study.rate, shape.layers)
