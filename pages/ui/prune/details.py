"""What stands behind the headline: verdicts, the correction beside its controls, tasks, estimates, all results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds.response import OBJECTIVES
from core.results import verdicts
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.show.figures import of_evaluations as drawing
from core.show.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.prune import every

DETAILS = {
    "verdicts": "Verdicts",
    "correction": "Correction and controls",
    "tasks": "Zero-shot tasks",
    "estimate": "Estimate against measured",
    "all": "All results",
}
SELECTED = "Picking the winner here overfits; confirm it on another text."
TRUST = (
    "Each point is an allocation of this target and pruner. The estimate adds up what pruning each layer alone did; it "
    "can only rank allocations, and the rank correlation says how well it does."
)
HEADLINE = (
    f"The paper reports {PAPER_PERPLEXITY:+.2f} % perplexity and {PAPER_ACCURACY:+.2f} % accuracy on top of OWL and "
    f"AlphaPruning at 70 % ({PAPER}); nothing here measured that."
)


def show(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, profile: Profile, prefix: str) -> None:
    """One of the details, picked by the reader."""
    chosen = view.sync("detail", list(DETAILS), "verdicts")
    st.header("Details", anchor=False)
    st.segmented_control(
        "Details", list(DETAILS), key="detail", format_func=DETAILS.get, required=True, label_visibility="collapsed"
    )
    {
        "verdicts": partial(_verdicts, results, part, shown),
        "correction": partial(_correction, results, part, shown, prefix),
        "tasks": partial(_zero_shot, results, part, shown, prefix),
        "estimate": partial(_trust, results, part, shown, profile, prefix),
        "all": partial(every.show, results, prefix),
    }[chosen]()


def _verdicts(results: Evaluations, part: Slice, shown: EvaluatedSetting | None) -> None:
    found = verdicts.sentences(results, part, shown)
    st.markdown("\n".join(f"- {plain(each)}" for each in found) if found else "Only uniform has been evaluated so far.")
    st.caption(f"{SELECTED} {HEADLINE}")


def _correction(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, prefix: str) -> None:
    bases = {each.name: each for each in drawing.corrected_bases(results, part)}
    if not bases:
        st.info(
            "No correction has been evaluated for this pruner and target: under Evaluate choose *this family* to "
            "measure it with its controls."
        )
        return
    mine = shown.base.name if shown and shown.base else next(iter(bases))
    name = view.sync("of", list(bases), mine)
    if len(bases) > 1:
        st.selectbox("Correction of", list(bases), key="of")
    frame.show(drawing.correction(results, part, bases[name], shown, view.look()), prefix, "correction")


def _zero_shot(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, prefix: str) -> None:
    options = drawing.tasks_within(results, part)
    if not options:
        st.info("No zero-shot task has been run: name some under Evaluate to see accuracies beside perplexity.")
        return
    task = view.sync("task", list(options), next(iter(options)))
    view.switch("Zero-shot task", options, "task")
    frame.show(drawing.zero_shot(results, part, task, shown, view.look()), prefix, "zero-shot")
    corrected = shown if shown and shown.base else None
    said = [_accuracy_sentence(corrected, results.shared(part)) if corrected else None, _lacking(results, part, task)]
    st.caption(" ".join(["0-shot accuracy; the protocol says on how many examples.", *map(plain, filter(None, said))]))


def _lacking(results: Evaluations, part: Slice, task: str) -> str | None:
    """Which settings have no bar because the task was not run on them."""
    lacking = [each.name for each in results.within(part) if task != drawing.MEAN and not each.has(task)]
    return f"Not evaluated for {', '.join(lacking)}." if lacking else None


def _accuracy_sentence(one: EvaluatedSetting, tasks: Sequence[str]) -> str | None:
    found = one.accuracy_against(one.base, tasks)
    if found is None or not np.isfinite(found[0]):
        return None
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
