"""Profiles on the Runs page: a card for each with its gains at a glance."""

from functools import lru_cache
from pathlib import Path

import streamlit as st

from core.base import UserError, escape_markdown, sentence, several
from core.plan.gains import gains_of
from core.requests.perturbations import in_order
from core.show import figures
from core.show.figures.gain import thumbnail
from core.show.words import gain_sentences
from core.store import Store
from pages.ui import current_profile, layout, url_state, watch
from pages.ui.runs import actions

ACROSS, NARROWEST = 3, 230  # cards beside each other on a laptop; px of a card: one fills a phone


def gallery(store: Store) -> None:
    """Draw the cards, bundled profiles first and the largest of them on top, and the actions on a profile."""
    entries = {entry.key: entry for entry in store.entries()}
    if not entries:
        layout.nothing(
            "Nothing has been measured yet: choose a model and run a measurement.", "measure.py", "Measure a model"
        )
        return
    called = current_profile.names(entries.values())
    with st.grid(ACROSS, min_column_width=NARROWEST):
        for entry in sorted(entries.values(), key=lambda each: (not each.committed, -len(each.spec.names))):
            with st.container(border=True, height="stretch", gap="xsmall", key=f"card-{entry.key}"):
                watch.open_profile(entry.key, f"**{escape_markdown(called[entry.key])}**")
                try:
                    drawn, finding, label, size = card(entry.key, str(store.root))
                except UserError as error:
                    st.caption(sentence(error))
                    continue
                picture = figures.in_palette(drawn, url_state.look())
                st.image(picture, width="stretch", alt=f"Gain of each layer. {finding}.")
                layout.caption(f"{finding}: {label}.")
                layout.caption(f"{'bundled' if entry.committed else 'yours'} · {size}")
    layout.link("measure.py", "Measure a model of your own")
    actions.one_of(store, entries, "Profile to act on", "picked")


@lru_cache
def card(key: str, root: str) -> tuple[str, str, str, str]:
    """SVG of a profile's gains under its main perturbation, their finding, their label, and the profile's size.

    Only the units of that perturbation are read.

    Raises:
        UserError: one of them is missing.
    """
    store = Store(Path(root))
    entry = store.profile(key)
    spec = entry.spec
    perturbations = {each.name: each for each in in_order(each.perturbation for each in spec.measurements)}
    name = current_profile.PREFERRED if current_profile.PREFERRED in perturbations else next(iter(perturbations))
    seeds = [store.load(spec.unit(each)) for each in spec.measurements if each.perturbation.name == name]
    if None in seeds:
        raise UserError("parts of this profile are missing: measure it again")
    size = [
        entry.provenance.get("family"),
        several(len(seeds[0].ratio), "layer"),
        several(len(perturbations), "perturbation"),
    ]
    headline, label = gain_sentences.headline(gains_of(seeds)), perturbations[name].told(entry.provenance).label
    return thumbnail(figures.line(name, seeds)), headline, label, " · ".join(filter(None, size))
