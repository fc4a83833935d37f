"""The results view of the prune page: the number first, then its picture, then the details."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.ask import naming
from core.ask.settings import Setting
from core.base.escape import plain
from core.base.formats import listed
from core.results import headlines, protocols
from core.results.comparison import FEWEST_WINDOWS
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.results.rows import perplexity
from core.show.figures import of_evaluations as drawing
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.prune import details
from pages.ui.prune.stored import badge


def show(
    results: Evaluations,
    among: Mapping[str, Evaluations],
    profile: Profile,
    setting: Setting,
    upper: DeltaGenerator,
    lower: DeltaGenerator,
    bars: Callable[[], None],
) -> None:
    """Everything that was measured under one protocol, by this profile and by others of the model.

    Args:
        among: the protocols to choose from.
        upper: the place of the headline, above that of the choices.
        lower: the place of the choices.
        bars: draws the allocation in view; a page that is still opening ends with it.
    """
    prefix = profile.entry.key[:6]
    if not results.settings:
        with upper:
            _dense(results)
            badge(results, among)
            bars()
        return
    mine = results.of(setting) if _looked_alike(results, setting, profile) else None
    results = protocols.across_profiles(results, tuple(among.values()))
    with lower:
        part = _choose_slice(results, setting)
    shown = mine and results.of(setting)
    in_part = shown if shown in results.within(part) else None
    leading = in_part or headlines.leading(results, part, setting)
    with upper:
        _headline(results, part, setting, leading, in_part)
        badge(results, among)
        bars()
    for one in results.settings:
        if one.helped:
            st.warning(plain(f"{one.name}. {one.helped}"))
    frame.show(drawing.perplexity(results, leading, view.look(), part), prefix, "perplexity")
    chart = drawing.against_uniform(results, part, leading, view.look())
    if chart:
        frame.show(chart, f"{prefix}-{part.target:g}", "changes")
    else:
        st.info("Only uniform has been evaluated here: evaluate an allocation to compare it.")
    details.show(results, part, in_part, profile, prefix)


def _headline(
    results: Evaluations, part: Slice, setting: Setting, one: EvaluatedSetting, shown: EvaluatedSetting | None
) -> None:
    """The number and what it compares; and that the setting in view is another one, where it is."""
    st.header(plain(headlines.headline(one, part)), anchor=False)
    st.markdown(plain(" ".join(filter(None, [headlines.behind(one, results), headlines.lowest(one, results)]))))
    if shown is None:
        st.info(plain(_lacking(results, setting)), icon=":material/info:")
    windows = results.spec.text.sequences
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")


def _dense(results: Evaluations) -> None:
    st.info("This study holds the dense model alone: evaluate a setting to compare it.")
    if results.dense:
        st.metric("Dense perplexity", perplexity(results.dense))


def _lacking(results: Evaluations, setting: Setting) -> str:
    """That the setting in view was not measured, told from those that are called alike."""
    name = naming.setting(setting, [each.setting for each in results.settings])
    alike = [(each.name, _unlike(each, setting)) for each in results.settings]
    told = [f"{other} here has {listed(words)}" for other, words in alike if words]
    same = results.of(setting)
    told += [f"{same.name} here looked at another profile"] if same else []
    where = f" ({listed(told)})" if told else ""
    return f"Your setting ({name}) has not been evaluated yet{where}: press Evaluate to measure it."


def _looked_alike(results: Evaluations, setting: Setting, profile: Profile) -> bool:
    """Whether a setting is the allocation of this profile where these results have it."""
    asked = setting.allocation
    return not (asked.base.profiled or asked.correction.strength) or profile.entry.key in results.profiles


def _unlike(one: EvaluatedSetting, setting: Setting) -> list[str]:
    """The parameters in which it differs from a setting that it is called like; none for others."""
    if naming.kind(one.setting) != naming.kind(setting):
        return []
    short = [naming.allocation(each.allocation) for each in (one.setting, setting)]
    words = naming.parameters(one.setting.allocation, [setting.allocation])
    return words if short[0] == short[1] and not set(words) & set(one.name.split(", ")) else []


def _choose_slice(results: Evaluations, setting: Setting) -> Slice:
    """Pruner and target to compare within: those in view if measured, else the fullest."""
    names = {each.name: each for each in results.slices}
    mine = next((name for name, each in names.items() if each.target == setting.allocation.target
                 and (each.treatment, each.pattern) == (setting.treatment, setting.pattern)), None)  # fmt: skip
    fullest = max(names, key=lambda name: len(results.within(names[name])))
    chosen = view.sync("within", list(names), mine or fullest)
    if len(names) > 1:
        st.selectbox("Compare at", list(names), key="within")
    return names[chosen]
