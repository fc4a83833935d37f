"""The Results tab of the Prune page: the number first, then its picture, then the details."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import UserError, formats, frozen, plain
from core.requests import Recipe, recipe_names
from core.results import FEWEST_WINDOWS, Result, Slice, Study, protocols, rows_of
from core.results.study_table import study_table
from core.show.figures import evaluation as drawing
from core.show.figures import perplexity
from core.show.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.show.words import forecast, perplexity_sentences
from core.store import Profile, Store
from pages.ui import form, layout, partial_results, studies
from pages.ui.prune import pruning

SELECTED = "Picking the winner here overfits; confirm it on another text."
HEADLINE = (
    f"The paper reports {PAPER_PERPLEXITY:+.2f} % perplexity and {PAPER_ACCURACY:+.2f} % accuracy on top of OWL and "
    f"AlphaPruning at 70 % ({PAPER}); nothing here measured that."
)


@frozen
class Shown:
    """What is shown: a protocol, what is compared within it, and the setting in view where it is among that."""

    results: Study
    part: Slice
    groups: tuple[Study, ...]  # the protocols of the model
    mine: Result | None
    prefix: str  # of the names of files

    def not_evaluated(self, said: str, hint: str, has: Callable[[Study, Slice], object]) -> None:
        """Say that something was not evaluated, and name and link to where it was, if it was anywhere.

        Args:
            hint: what to do where it was nowhere.
            has: whether it was evaluated there.
        """
        found = protocols.best_slice(self.groups, self.part.target, self.part.treatment.name, has=has)
        if found is None:
            layout.note(f"{said} {hint}")
            return
        there, other = found
        alike = self.results.entries == there.entries
        where = other.name if alike else f"{other.name} ({protocols.short(there)})"
        layout.note(f"{said} There are results at {where}.")
        layout.to_prune("Open those results", "results", study=there.entries[-1].key, within=other.name)

    def lacks(self, said: str, hint: str, has: Callable[[Study, Slice], object]) -> bool:
        """True where something was not evaluated here, which is said as `not_evaluated` does."""
        if has(self.results, self.part):
            return False
        self.not_evaluated(f"{said} at {self.part.name}.", hint, has)
        return True


def show(
    results: Study,
    groups: tuple[Study, ...],
    profile: Profile,
    setting: Recipe,
    upper: DeltaGenerator,
) -> None:
    """Everything that was measured under one protocol, by this profile and by others of the model.

    Args:
        groups: the protocols to choose from.
        upper: the place of the headline, above that of the choices.
    """

    def measured(found, part):
        """Whether the setting was evaluated there, as this profile allocates it."""
        return found.of(setting) in found.within(part) and studies.looked_alike(found, setting, profile)

    mine = results.of(setting) if studies.looked_alike(results, setting, profile) else None
    results = protocols.with_comparable(results, groups)
    named = {each.name: each for each in results.slices}
    place = protocols.best_slice([results], setting.allocation.target, setting.treatment.name, setting)
    part = named[form.choice("Compare at", form.alike(named), "within", place.part.name)]
    one = mine and results.of(setting)
    in_part = one if one in results.within(part) else None
    shown = Shown(results, part, groups, in_part, f"{profile.key[:6]}-{part.target:g}")
    leading = in_part or perplexity_sentences.leading(results, part, setting)
    with upper:
        _headline(results, leading, groups)
        if in_part is None:
            name = recipe_names.setting(setting.seedless)
            where = "with this profile" if results.of(setting) and not mine else "here"
            said, hint = f"Your setting ({name}) has not been evaluated {where}.", "Press Evaluate to measure it."
            shown.not_evaluated(said, hint, measured)
        pruning.bars(setting, profile)
    _charts(shown, leading)
    layout.header("Details")
    details = {key: name for key, (name, _) in DETAILS.items()}
    DETAILS[form.choice("Details", details, "detail", "verdicts", label_visibility="collapsed")][1](shown)


def known(setting: Recipe, groups: tuple[Study, ...], profile: Profile) -> None:
    """Draw what the setting in view costs: as measured, by the protocol of all pages, and as others predict it."""
    place = protocols.best_slice(groups, setting.allocation.target, setting.treatment.name, setting)
    one = place and place.evaluations.of(setting)
    if shown := one and studies.looked_alike(place.evaluations, setting, profile):
        _headline(place.evaluations, one)
    try:
        anchors, found, measured = studies.predicted(setting, profile)
    except UserError as error:
        layout.caption(f"Nothing predicts this setting: {str(error).partition(';')[0]}.")
        return
    if not shown:
        label = plain(f"Predicted perplexity of {recipe_names.setting(setting.seedless)}")
        st.metric(label, formats.perplexity(found.perplexity))
    layout.caption(forecast.one(anchors, found, measured), forecast.basis(anchors))


def _charts(shown: Shown, leading: Result) -> None:
    """What each setting costs, and what pruning had to be helped along with."""
    studies.helped(shown.results.settings)
    layout.show(perplexity.of_evaluations(shown.results, leading, shown.part), shown.prefix, "perplexity")
    if chart := partial_results.training(Store(), shown.results.spec.model, leading.result.pruned):
        layout.show(chart, shown.prefix, "training")
    chart = drawing.against_uniform(shown.results, shown.part, leading)
    if chart:
        layout.show(chart, shown.prefix, "changes")
    else:
        st.info(f"Only uniform has been evaluated at {shown.part.name}. Evaluate an allocation to compare it.")


def _headline(results: Study, one: Result, among: tuple[Study, ...] = ()) -> None:
    """The number and what it compares."""
    studies.hero(f"Perplexity of {recipe_names.setting(one.setting)}", one, one.against_uniform)
    studies.badge(results, among)
    st.markdown(
        plain(
            " ".join(
                filter(None, [perplexity_sentences.behind(one, results), perplexity_sentences.lowest(one, results)])
            )
        )
    )
    windows = results.spec.text.sequences
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")


# --- details ------------------------------------------------------------------------------------------------------


def _verdicts(shown: Shown) -> None:
    layout.bullets(perplexity_sentences.sentences(shown.results, shown.part, shown.mine))
    st.caption(f"{SELECTED} {HEADLINE}")


def _correction(shown: Shown) -> None:
    hint = "Evaluate “this family” to measure one."
    if not shown.lacks("No correction has been evaluated", hint, drawing.corrected_bases):
        base = (shown.mine and shown.mine.base) or drawing.corrected_bases(shown.results, shown.part)[0]
        layout.show(drawing.correction(shown.results, base, shown.mine), shown.prefix, "correction")


def _zero_shot(shown: Shown) -> None:
    if not shown.lacks("No zero-shot task has been run", "Name some under Evaluate.", _answering):
        rows = rows_of(shown.results, [*filter(None, [shown.results.dense]), *_answering(shown.results, shown.part)])
        about = "Zero-shot accuracy of each setting", f"{shown.prefix}-zero-shot", "zero-shot"
        studies.show_table(study_table(rows).accuracies, *about)
        st.caption("0-shot accuracy ± its standard error; the protocol says on how many examples.")


def _answering(results: Study, part: Slice) -> list[Result]:
    """The settings that any zero-shot task was asked of; a shuffle is one draw of many."""
    return [one for one in results.within(part) if one.control != "shuffled" and any(map(one.has, results.tasks))]


def _all(shown: Shown) -> None:
    table = study_table(rows_of(shown.results))
    studies.show_table(table, "Every setting with all that was measured of it", f"{shown.prefix}-study", "numbers")


DETAILS = {
    "verdicts": ("Verdicts", _verdicts),
    "correction": ("Correction and controls", _correction),
    "tasks": ("Zero-shot tasks", _zero_shot),
    "all": ("All results", _all),
}
