"""What can be taken away from the lab: the same layer on Absorption, and the numbers."""

from __future__ import annotations

import json
from functools import lru_cache

import pandas as pd
import streamlit as st

from core.ask.lab import Question
from core.ask.perturbations import perturbation
from core.base.errors import UserError
from core.show import words
from core.show.lessons import sentence
from core.store.cache import Store
from pages.ui import frame, subject
from pages.ui.lab.question import Asked
from pages.ui.live.grid import Answered


def on_absorption(asked: Asked) -> None:
    """The way to the same layer on many sentences, of the bundled model's committed profile."""
    try:
        profile = subject.load(Store().demo().key)
    except UserError:
        return
    query = {"profile": profile.entry.key, "layer": str(asked.state.layer)}
    measured = words.by_positions(profile)
    wanted = perturbation(asked.word)
    kin = [name for name in measured if perturbation(name).is_kin(wanted)]
    if kin:
        nearest = min(kin, key=lambda name: abs(perturbation(name).strength - wanted.strength))
        where = "all" if asked.state.first and asked.is_choosy else "after_first"
        query |= {"perturbation": nearest} | ({"positions": where} if where in measured[nearest] else {})
    frame.link("absorption.py", f"Layer {asked.state.layer} on Absorption, measured on many sentences", query)


def numbers(asked: Asked, answer: Answered) -> None:
    """The drift as a table, which screen readers can walk through, and all numbers as files."""
    row = answer.rows.get(asked.state.layer)
    with st.expander("Numbers"):
        if row is not None:
            about = answer.hits[row.layer].said.replace("**", "")
            frame.show_table(pd.DataFrame(sentence.table(row)), f"Drift after each layer. {about}", height=240)
        with st.container(horizontal=True):
            _download("CSV", "text/csv", _csv(answer))
            _download("JSON", "application/json", _json(asked.question(), answer))


# Made once for each answer, and not when the button is pressed: a run that ends meanwhile would lose what it asked for.


@lru_cache(maxsize=16)
def _csv(answer: Answered) -> str:
    return pd.DataFrame(sentence.listed(answer.rows.values())).to_csv(index=False)


@lru_cache(maxsize=16)
def _json(question: Question, answer: Answered) -> str:
    asked = question.model_dump(mode="json")
    return json.dumps({"question": asked, "answer": answer.shared.model_dump(mode="json")}, indent=1)


def _download(kind: str, mime: str, data: str) -> None:
    name = f"lab.{kind.lower()}"
    st.download_button(f"Download {kind}", data, file_name=name, mime=mime, key=f"lab-{kind}", on_click="ignore")
