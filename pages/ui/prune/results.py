"""The results view of the prune page: the number first, then its picture, then the details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.ask import naming
from core.ask.settings import Setting
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds.response import OBJECTIVES
from core.results import protocols, verdicts
from core.results.comparison import FEWEST_WINDOWS
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.results.protocols import Place
from core.results.study_table import rows_of
from core.results.study_table import study_table as made
from core.show.figures import of_evaluations as drawing
from core.show.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.store.profiles import Profile
from pages.ui import frame, study_table, view
from pages.ui.prune import stored
from pages.ui.prune.stored import badge

SELECTED = "Picking the winner here overfits; confirm it on another text."
TRUST = (
    "Each point is an allocation of this target and pruner. The estimate adds up what pruning each layer alone did; it "
    "can only rank allocations, and the rank correlation says how well it does."
)
HEADLINE = (
    f"The paper reports {PAPER_PERPLEXITY:+.2f} % perplexity and {PAPER_ACCURACY:+.2f} % accuracy on top of OWL and "
    f"AlphaPruning at 70 % ({PAPER}); nothing here measured that."
)


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
            st.info("This study holds the dense model alone: evaluate a setting to compare it.")
            if results.dense:
                st.metric("Dense perplexity", results.dense.written)
            badge(results, among)
            bars()
        return
    mine, groups = results.of(setting) if _looked_alike(results, setting, profile) else None, tuple(among.values())
    results = protocols.across_profiles(results, groups)
    with lower:
        part = _choose_slice(results, setting)
    shown = mine and results.of(setting)
    in_part = shown if shown in results.within(part) else None
    leading = in_part or verdicts.leading(results, part, setting)
    with upper:
        _headline(results, part, leading)
        if in_part is None:
            here = partial(_measured, setting, profile)
            said, hint = plain(_lacking(results, setting, mine)), "Press Evaluate to measure it."
            stored.lacking(said, hint, "It was evaluated", part, results, groups, here)
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
        said, hint = f"Only uniform has been evaluated at {plain(part.name)}.", "Evaluate an allocation to compare it."
        stored.lacking(said, hint, "Others were evaluated", part, results, groups, _compares)
    _details(Place(results, part), groups, in_part, profile, prefix)


def _compares(results: Evaluations, part: Slice) -> bool:
    """Whether an allocation stands beside uniform there."""
    return any(each.uniform for each in results.within(part))


def _measured(setting: Setting, profile: Profile, results: Evaluations, part: Slice) -> bool:
    """Whether a setting was evaluated there, as this profile allocates it."""
    return results.of(setting) in results.within(part) and _looked_alike(results, setting, profile)


def _headline(results: Evaluations, part: Slice, one: EvaluatedSetting) -> None:
    """The number and what it compares."""
    st.header(plain(verdicts.headline(one, part)), anchor=False)
    st.markdown(plain(" ".join(filter(None, [verdicts.behind(one, results), verdicts.lowest(one, results)]))))
    windows = results.spec.text.sequences
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")


def _lacking(results: Evaluations, setting: Setting, mine: EvaluatedSetting | None) -> str:
    """That the setting in view was not measured, with the parameters that tell it from those that were.

    Args:
        mine: it as this profile allocates it, where that was measured in another slice.
    """
    name = naming.setting(setting, [each.setting for each in results.settings])
    where = "with this profile" if results.of(setting) and not mine else "here"
    return f"Your setting ({name}) has not been evaluated {where}."


def _looked_alike(results: Evaluations, setting: Setting, profile: Profile) -> bool:
    """Whether a setting is the allocation of this profile where these results have it."""
    asked = setting.allocation
    return not (asked.base.profiled or asked.correction.strength) or profile.entry.key in results.profiles


def _choose_slice(results: Evaluations, setting: Setting) -> Slice:
    """Pruner and target to compare within, by the one rule where the URL says nothing."""
    names = {each.name: each for each in results.slices}
    place = protocols.place([results], setting.allocation.target, setting.treatment.name, setting)
    chosen = view.sync("within", list(names), place.part.name)
    if len(names) > 1:
        st.selectbox("Compare at", list(names), key="within")
    return names[chosen]


# --- details ------------------------------------------------------------------------------------------------------


def _details(
    here: Place, among: Sequence[Evaluations], shown: EvaluatedSetting | None, profile: Profile, prefix: str
) -> None:
    """One of the details, picked by the reader.

    Args:
        among: the protocols of the model.
    """
    results, part = here
    details = {
        "verdicts": ("Verdicts", partial(_verdicts, results, part, shown)),
        "correction": ("Correction and controls", partial(_correction, here, among, shown, prefix)),
        "tasks": ("Zero-shot tasks", partial(_zero_shot, here, among, shown, prefix)),
        "estimate": ("Estimate against measured", partial(_trust, results, part, shown, profile, prefix)),
        "all": ("All results", partial(_all, results, prefix)),
    }
    chosen = view.sync("detail", list(details), "verdicts")
    st.header("Details", anchor=False)
    st.segmented_control(
        "Details", list(details), key="detail", format_func=lambda key: details[key][0], required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    details[chosen][1]()


def _verdicts(results: Evaluations, part: Slice, shown: EvaluatedSetting | None) -> None:
    found = verdicts.sentences(results, part, shown)
    st.markdown("\n".join(f"- {plain(each)}" for each in found))
    st.caption(f"{SELECTED} {HEADLINE}")


def _correction(here: Place, among: Sequence[Evaluations], shown: EvaluatedSetting | None, prefix: str) -> None:
    results, part = here
    bases = {each.name: each for each in drawing.corrected_bases(results, part)}
    if not bases:
        said, hint = (
            f"No correction has been evaluated at {plain(part.name)}.",
            "Evaluate *this family* to measure one.",
        )
        has = lambda *at: bool(drawing.corrected_bases(*at))  # noqa: E731
        stored.lacking(said, hint, "One was evaluated", part, results, among, has)
        return
    mine = shown.base.name if shown and shown.base else next(iter(bases))
    name = view.sync("of", list(bases), mine)
    if len(bases) > 1:
        st.selectbox("Correction of", list(bases), key="of")
    frame.show(drawing.correction(results, bases[name], shown, view.look()), prefix, "correction")


def _zero_shot(here: Place, among: Sequence[Evaluations], shown: EvaluatedSetting | None, prefix: str) -> None:
    results, part = here
    options = drawing.tasks_within(results, part)
    if not options:
        said, hint = f"No zero-shot task has been run at {plain(part.name)}.", "Name some under Evaluate."
        stored.lacking(said, hint, "One was run", part, results, among, lambda *at: bool(drawing.tasks_within(*at)))
        return
    task = view.sync("task", list(options), next(iter(options)))
    view.switch("Zero-shot task", options, "task")
    frame.show(drawing.zero_shot(results, part, task, shown, view.look()), prefix, "zero-shot")
    said = _accuracy_sentence(shown, results.shared(part)) if shown and shown.base else ""
    st.caption(f"0-shot accuracy; the protocol says on how many examples. {plain(said)}")


def _accuracy_sentence(one: EvaluatedSetting, tasks: Sequence[str]) -> str:
    found = one.accuracy_against(one.base, tasks)
    if found is None or not np.isfinite(found[0]):
        return ""
    value, error = (100 * each for each in found)
    return (
        f"{one.name}: {value:+.2f} ± {error:.2f} points of accuracy against its base, the mean of tasks "
        f"({PAPER_ACCURACY:+.2f} % in the {PAPER})."
    )


def _trust(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, profile: Profile, prefix: str) -> None:
    objective = view.sync("judge", list(OBJECTIVES), "drift")
    try:
        chart = drawing.trust(results, part, profile, objective, shown, view.look())
    except UserError as error:
        st.info(plain(sentence(error)))
        return
    view.switch("Estimate the harm by", OBJECTIVES, "judge")
    frame.show(chart, f"{prefix}-{part.target:g}", "trust")
    st.caption(TRUST)


def _all(results: Evaluations, prefix: str) -> None:
    table = made(rows_of(results))
    study_table.show(table, "Every setting with all that was measured of it", f"{prefix}-study", "numbers")
