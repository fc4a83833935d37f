"""The results part of the Compress page: the number first, then its picture, then the details."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import UserError, escape_markdown, frozen
from core.plan import linear_parameters
from core.requests import Recipe, recipe_names
from core.results import FEWEST_WINDOWS, Result, Slice, Study, protocols, rows_of
from core.results.study_table import study_table
from core.show.figures import evaluation as drawing
from core.show.figures import perplexity
from core.show.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.show.words import perplexity_sentences
from core.store import Profile, Store
from pages.ui import best_setting, current_profile, form, layout, partial_results, studies, url_state
from pages.ui.compress import export, pruning, settings

SELECTED = "Picking the winner here overfits; confirm it on another text."
HEADLINE = (
    f"The paper reports {PAPER_PERPLEXITY:+.2f} % perplexity and {PAPER_ACCURACY:+.2f} % accuracy on top of OWL and "
    f"AlphaPruning at 70 % ({PAPER}); nothing here measured that."
)


@frozen
class ResultsView:
    """Results in view: a study, the slice compared within it, and the setting in view if it is among them."""

    results: Study
    part: Slice
    groups: tuple[Study, ...]  # the protocols of the model
    mine: Result | None
    prefix: str  # of the names of files

    def not_evaluated(self, reason: str, hint: str, has: Callable[[Study, Slice], object]) -> None:
        """Say that something was not evaluated, and name and link to where it was, if it was anywhere.

        Args:
            hint: label of the link to what measures it, where it was nowhere.
            has: whether it was evaluated there.
        """
        place = protocols.best_slice(self.groups, self.part.target, self.part.treatment.name, has=has)
        if place is None:
            layout.note(reason)
            layout.to_compress(hint, "tune")
            return
        there, other = place
        alike = self.results.entries == there.entries
        where = other.name if alike else f"{other.name} ({protocols.short_name(there)})"
        layout.note(f"{reason} There are results at {where}.")
        layout.to_compress("Open those results", "results", study=there.entries[-1].key, within=other.name)


def show(profile: Profile) -> None:
    """Draw what was measured of the model, the setting in view first, and its export."""
    current_profile.heading("What does pruning cost?", profile)
    try:
        linear_parameters(profile)
        in_view = pruning.allocation_in_view(profile)
    except UserError as error:
        best_setting.follow(settings.read(profile, drawn=False), profile)
        layout.error(error)
        layout.to_compress("Change the allocation", "tune", "tune")
        url_state.end()
    groups, upper = studies.groups(profile), st.container()
    how = pruning.draw(profile, in_view)
    if how.wrong:
        layout.error(how.wrong)
    study = studies.choose(groups, how.setting) if groups else None
    if study:
        _measured(study, groups, profile, how.setting, upper)
    else:
        with upper:
            pruning.in_a_line(how.setting)
        st.info("Nothing has been measured for this model yet.")
        layout.to_compress("Measure this setting", "tune")
    if not how.wrong:
        layout.header("Export this setting")
        export.show(how, profile, study)


def _measured(
    results: Study, groups: tuple[Study, ...], profile: Profile, setting: Recipe, upper: DeltaGenerator
) -> None:
    """Draw all results under one protocol, of this profile and of others of the model.

    Args:
        groups: the protocols to choose from.
        upper: the place of the headline, above that of the choices.
    """

    def measured(study, part):
        """True if the setting was evaluated there, as this profile allocates it."""
        return studies.result_of(study, setting, profile) in study.within(part)

    mine = studies.result_of(results, setting, profile)
    results = protocols.with_comparable(results, groups)
    named = {each.name: each for each in results.slices}
    place = protocols.best_slice([results], setting.allocation.target, setting.treatment.name, setting)
    part = named[form.choice("Compare at", form.alike(named), "within", place.part.name)]
    one = mine and results.of(setting)
    in_part = one if one in results.within(part) else None
    view = ResultsView(results, part, groups, in_part, f"{profile.key[:6]}-{part.target:g}")
    leading = in_part or perplexity_sentences.leading(results, part, setting)
    with upper:
        headline(results, leading, groups)
        if in_part is None:
            name = recipe_names.setting(setting.seedless)
            reason = f"Your setting ({name}) has not been evaluated here."
            if results.of(setting) and not mine:
                reason = f"{name} was evaluated, but as another profile spreads the budget."
            view.not_evaluated(reason, "Measure this setting", measured)
        pruning.in_a_line(setting)
    _charts(view, leading)
    layout.header("Details")
    details = {key: name for key, (name, _) in DETAILS.items()}
    DETAILS[form.choice("Details", details, "detail", "verdicts", label_visibility="collapsed")][1](view)


def known_cost(recipe: Recipe, groups: tuple[Study, ...], profile: Profile) -> None:
    """Draw the cost of a setting that no picture predicts, as the main protocol measured it, or why it is not known."""
    place = protocols.best_slice(groups, recipe.allocation.target, recipe.treatment.name, recipe)
    if one := place and studies.result_of(place.study, recipe, profile):
        headline(place.study, one)
    elif recipe.pattern or recipe.true_sequential:
        layout.caption("Neither an N:M pattern nor true-sequential pruning is predicted.")


def _charts(view: ResultsView, leading: Result) -> None:
    """Draw charts of what each setting costs, and warnings where pruning needed extra damping."""
    studies.helped(view.results.settings)
    layout.show(perplexity.of_evaluations(view.results, leading, view.part), view.prefix, "perplexity")
    if chart := partial_results.training(Store(), view.results.spec.model, leading.result.pruned):
        layout.show(chart, view.prefix, "training")
    chart = drawing.against_uniform(view.results, view.part, leading)
    if chart:
        layout.show(chart, view.prefix, "changes")
    else:
        st.info(f"Only uniform has been evaluated at {view.part.name}. Evaluate an allocation to compare it.")


def headline(results: Study, one: Result, among: tuple[Study, ...] = ()) -> None:
    """Draw the perplexity of a setting and its comparisons."""
    studies.hero(f"Perplexity of {recipe_names.setting(one.setting)}", one, one.against_uniform)
    studies.badge(results, among)
    st.markdown(escape_markdown(perplexity_sentences.behind(one, results)))
    windows = results.spec.text.sequences
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")


# --- details ------------------------------------------------------------------------------------------------------


def _verdicts(view: ResultsView) -> None:
    layout.bullets(perplexity_sentences.sentences(view.results, view.part, view.mine))
    st.caption(f"{SELECTED} {HEADLINE}")


def _correction(view: ResultsView) -> None:
    if not (bases := drawing.corrected_bases(view.results, view.part)):
        reason = f"No correction has been evaluated at {view.part.name}."
        view.not_evaluated(reason, "Measure this method and its controls", drawing.corrected_bases)
        return
    base = (view.mine and view.mine.base) or bases[0]
    layout.show(drawing.correction(view.results, base, view.mine), view.prefix, "correction")


def _all(view: ResultsView) -> None:
    table = study_table(rows_of(view.results))
    studies.show_table(table, "Every setting with all that was measured of it", f"{view.prefix}-study", "numbers")


DETAILS = {
    "verdicts": ("Verdicts", _verdicts),
    "correction": ("Correction and controls", _correction),
    "all": ("All results", _all),
}
