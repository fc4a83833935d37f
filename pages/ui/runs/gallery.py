"""A card for every profile: what was measured, what was found, and its gains at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.ask.perturbations import in_order
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import digits, sentence, several
from core.plan.gains import gains_of
from core.results import findings
from core.show import figures
from core.show.figures.thumbnail import thumbnail
from core.store.cache import Entry, Store
from pages.ui import frame, subject, view, watch

ACROSS, NARROWEST = 3, 230  # cards beside each other on a laptop; px of a card: one fills a phone
FROM = {"committed": "bundled", "": "yours", "imported": "imported"}


class Card(NamedTuple):
    """What a card says of a profile."""

    perturbation: str  # what the gains are of, in words
    finding: str
    size: str
    gains: figures.Line


def show(store: Store, entries: Sequence[Entry]) -> None:
    """The cards, the bundled profiles first and of them the largest; the last two say how to get another."""
    called = subject.names(entries)
    with st.grid(ACROSS, min_column_width=NARROWEST):
        for entry in sorted(entries, key=lambda each: (not each.committed, -len(each.spec.names))):
            with _card(entry.key):
                watch.open_profile(entry.key, f"**{plain(called[entry.key])}**")
                _tell(store, entry)
        with _card("yours"):
            frame.link("measure.py", "**Open yours**")
            st.caption("Measure a model of your own: a folder, a .gguf file or a Hub id.")
        with _card("pack"):
            frame.link("runs.py", "**Import a pack**", {"show": "import"})
            st.caption("See what somebody else measured: a zip of their results.")


def _card(key: str) -> st.delta_generator.DeltaGenerator:
    return st.container(border=True, height="stretch", gap="xsmall", key=f"card-{key}")


def _tell(store: Store, entry: Entry) -> None:
    try:
        card = told(entry.key, str(store.root))
    except UserError as error:
        st.caption(sentence(error))
        return
    st.image(thumbnail(card.gains, view.look()), width="stretch", alt=f"Gain of each layer. {card.finding}.")
    st.caption(plain(f"{card.finding}: {card.perturbation}."))
    st.caption(plain(f"{FROM[entry.standing]} · {card.size}"))


@lru_cache(maxsize=256)
def told(key: str, root: str) -> Card:
    """The card of a profile, from the units of one perturbation alone.

    Raises:
        UserError: one of them is missing.
    """
    store = Store(Path(root))
    entry = store.profile(key)
    spec = entry.spec
    known = {each.name: each for each in in_order(each.perturbation for each in spec.measurements)}
    name = subject.PREFERRED if subject.PREFERRED in known else next(iter(known))
    seeds = [store.load(spec.unit(each)) for each in spec.measurements if each.perturbation.name == name]
    weights = store.load(spec.weights) if spec.prunable else None
    if None in seeds or (spec.prunable and weights is None):
        raise UserError("parts of this profile are missing: measure it again")
    family, layers = entry.provenance.get("family"), several(len(seeds[0].ratio), "layer")
    held = [] if weights is None else [f"{digits(float(np.nansum(weights.parameters)) / 1e6, 3)} M prunable weights"]
    size = " · ".join([*([family] if family else []), layers, *held, several(len(known), "perturbation")])
    line, label = figures.line(name, seeds), known[name].told(entry.provenance).label
    return Card(label, findings.headline(gains_of(seeds)), size, line)
