"""The results part of the prune page: verdicts, charts, numbers, each under its protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.allocation.response import OBJECTIVES
from core.analysis import protocols, verdicts
from core.analysis.comparison import FEWEST_WINDOWS
from core.analysis.evaluated import Change, EvaluatedSetting
from core.analysis.evaluations import Evaluations, Slice
from core.analysis.rows import perplexity
from core.figures import Chart
from core.figures import of_evaluations as drawing
from core.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.specs import Setting, UserError, grammar, naming
from core.specs.formats import capital, listed
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.prune.stored import badge

SELECTED = (
    "Whoever picks the best of several strengths or methods here has chosen it on the text that judges it: evaluate "
    "the choice once more on another text before calling it a gain."
)
LEADING = ("setting", "target", "perplexity")
CHANGES = ("against", "uniform", "base")  # begin the names of columns of changes, in per cent
TRUST = (
    "Each point is an allocation of this target and pruner. The estimate sums what pruning each layer alone was "
    "measured to do; only the order of the points can be right, and the rank correlation says how right it is."
)
HEADLINE = (
    f"The paper's headline, on top of OWL and AlphaPruning at 70%: {PAPER_PERPLEXITY:+.2f}% perplexity, "
    f"{PAPER_ACCURACY:+.2f}% accuracy ({PAPER}; nothing here measured them)."
)


def show(results: Evaluations, profile: Profile, setting: Setting, prefix: str) -> None:
    """Everything that was measured under one protocol."""
    if not results.settings:
        st.info("This study holds the dense model alone: evaluate a setting to compare it.")
        _dense(results)
        return
    shown = results.of(setting)
    part = _choose_slice(results, setting)
    in_part = shown if shown in results.within(part) else None
    _verdicts(results, part, in_part)
    for one in results.settings:
        if one.helped:
            st.warning(f"{one.name}. {one.helped}")
    if shown is None:
        st.caption(_lacking(results, setting))
    _draw(drawing.perplexity(results, shown, view.look()), results, prefix, "perplexity")
    left, right = st.columns(2, gap="large")
    with left:
        chart = drawing.against_uniform(results, part, in_part, view.look())
        if chart:
            _draw(chart, results, f"{prefix}-{part.target:g}", "changes")
        else:
            st.info("Only uniform is measured here: evaluate an allocation to compare it.")
    with right:
        _correction(results, part, in_part, prefix)
    _zero_shot(results, part, in_part, prefix)
    _trust(results, part, in_part, profile, prefix)
    _numbers(results, prefix)


def _lacking(results: Evaluations, setting: Setting) -> str:
    """That the setting in view was not measured, told from those that are called alike."""
    name = naming.setting(setting, [each.setting for each in results.settings])
    alike = [(each.name, _unlike(each, setting)) for each in results.settings]
    told = [f"{other} has {listed(words)}" for other, words in alike if words]
    where = f", where {listed(told)}" if told else ""
    return f"The setting in view ({name}) is not among them{where}: evaluate it to see it here."


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
        st.selectbox("Compare within", list(names), key="within")
    return names[chosen]


def _verdicts(results: Evaluations, part: Slice, shown: EvaluatedSetting | None) -> None:
    st.header(f"The verdict at {part.name}", anchor=False)
    model = results.provenance.get("model", "this model")
    windows = results.spec.text.sequences
    found = verdicts.sentences(results, part, shown)
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")
    dense = f"On {model}, whose dense perplexity is {perplexity(results.dense)}:" if results.dense else f"On {model}:"
    st.markdown("\n".join([dense, "", *(f"- {each}" for each in found)]) if found else f"{dense} only uniform so far.")
    badge(results)
    st.caption(f"{HEADLINE} {SELECTED}")


def _dense(results: Evaluations) -> None:
    if results.dense:
        st.metric("Dense perplexity", perplexity(results.dense))
        badge(results)


def _draw(chart: Chart, results: Evaluations, prefix: str, key: str) -> None:
    """A chart and, under it, the protocol of its numbers."""
    frame.show(chart, prefix, key)
    badge(results)


def _correction(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, prefix: str) -> None:
    bases = {each.name: each for each in drawing.corrected_bases(results, part)}
    if not bases:
        st.header("The correction beside its controls", anchor=False)
        st.info(
            "No correction was measured within this pruner and target: under Evaluate choose "
            "*this family* to measure it with its controls."
        )
        return
    mine = shown.base.name if shown and shown.base else next(iter(bases))
    name = view.sync("of", list(bases), mine)
    if len(bases) > 1:
        st.selectbox("Correction of", list(bases), key="of")
    _draw(drawing.correction(results, part, bases[name], shown, view.look()), results, prefix, "correction")


def _zero_shot(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, prefix: str) -> None:
    options = drawing.tasks_within(results, part)
    if not options:
        st.caption("No zero-shot task was asked for: name some under Evaluate to see accuracies beside perplexity.")
        return
    task = view.sync("task", list(options), next(iter(options)))
    view.switch("Zero-shot task", options, "task")
    _draw(drawing.zero_shot(results, part, task, shown, view.look()), results, prefix, "zero-shot")
    corrected = shown if shown and shown.base else None
    said = [_accuracy_sentence(corrected, results.shared(part)) if corrected else None]
    said += [_unasked(results, part, task)]
    st.caption(" ".join(["0-shot, acc; the protocol says how many examples.", *filter(None, said)]))


def _unasked(results: Evaluations, part: Slice, task: str) -> str | None:
    """Which settings have no bar because the task was not asked of them."""
    lacking = [each.name for each in results.within(part) if task != drawing.MEAN and not each.has(task)]
    return f"Not asked of {', '.join(lacking)}." if lacking else None


def _accuracy_sentence(one: EvaluatedSetting, tasks: Sequence[str]) -> str | None:
    found = one.accuracy_against(one.base, tasks)
    if found is None or not np.isfinite(found[0]):
        return None
    value, error = (100 * each for each in found)
    return (
        f"{one.name}: {value:+.2f} ± {error:.2f} points of accuracy against its base, the mean of tasks "
        f"({PAPER_ACCURACY:+.2f}% in the {PAPER})."
    )


def _trust(results: Evaluations, part: Slice, shown: EvaluatedSetting | None, profile: Profile, prefix: str) -> None:
    objective = view.sync("judge", list(OBJECTIVES), "drift")
    try:
        chart = drawing.trust(results, part, profile, objective, shown, view.look())
    except UserError as error:
        st.header("Estimate against measured", anchor=False)
        st.info(f"{capital(str(error))}.")
        return
    view.switch("Estimate the harm by", OBJECTIVES, "judge")
    _draw(chart, results, f"{prefix}-{part.target:g}", "trust")
    st.caption(TRUST)


def seeded(results: Evaluations) -> str:
    """How to read perplexities beside changes where settings were not measured with the same seeds; else nothing."""
    if len({one.seeds for one in results.settings if one.seeds}) < 2:
        return ""
    return (
        "A perplexity is the mean over all calibration seeds of its setting; a change is between the seeds that both "
        "settings have, so it need not be the quotient of two perplexities."
    )


def _numbers(results: Evaluations, prefix: str) -> None:
    st.header("Every number", anchor=False)
    table = rows(results).dropna(axis=1, how="all")
    frame.show_table(table, "Every setting with all that was measured of it", _columns(table))
    badge(results)
    if seeded(results):
        st.caption(seeded(results))
    st.download_button(
        "Download CSV",
        lambda: table.assign(protocol=protocols.badge(results)).to_csv(index=False),
        file_name=f"{prefix}-study.csv",
        mime="text/csv",
        key="numbers-csv",
        on_click="ignore",
    )


def _columns(table: pd.DataFrame) -> dict:
    """What a row is stays in sight; changes have one number of decimals, whatever the column."""
    changes = {name: st.column_config.NumberColumn(format="%+,.2f") for name in table if name.startswith(CHANGES)}
    return {"setting": st.column_config.TextColumn(pinned=True)} | changes


def rows(results: Evaluations) -> pd.DataFrame:
    """A row per setting: perplexity, changes with intervals, divergence, agreement, zeros achieved, accuracies."""
    found = []
    if results.dense:
        found.append({"setting": "dense", "target": np.nan, **_of(results.dense, results)})
    for one in results.settings:
        row = {"setting": one.name, "target": one.setting.allocation.target}
        row |= {"pruner": one.setting.treatment.label, **_of(one, results)}
        for name, change in (("uniform", one.against_uniform), ("base", one.against_base)):
            row |= _against(name, change) if change else {}
        found.append(row | {"with all parameters": grammar.said(one.setting.allocation)})
    table = pd.DataFrame(found)
    first = [name for name in table if name in LEADING]
    changes = [name for name in table if name.startswith(CHANGES)]
    return table[[*first, *changes, *(name for name in table if name not in (*first, *changes))]]


def _against(name: str, change: Change) -> dict[str, float]:
    ends = change.windows
    told = {f"against {name}, %": ends.value, f"{name} low": ends.low, f"{name} high": ends.high}
    if change.seeds.certain:
        told |= {f"{name} low, seeds": change.seeds.low, f"{name} high, seeds": change.seeds.high}
    return told


def _of(one: EvaluatedSetting, results: Evaluations) -> dict[str, object]:
    told = {
        "perplexity": one.perplexity,
        "not finite from layer": one.broken,
        "KL, nats": one.kl,
        "agreement": one.agreement,
        "zeros, mean of linears": one.zeros,
        "calibration seeds": ", ".join(map(str, one.seeds)),
    }
    return told | _accuracies(one, results)


def _accuracies(one: EvaluatedSetting, results: Evaluations) -> dict[str, float]:
    """Accuracy of every task that was asked of a setting, with its standard error."""
    found = {name: one.accuracy(name) for name in results.tasks if one.has(name)}
    return {
        column: value
        for name, (mean, error, _) in found.items()
        for column, value in ((name, mean), (f"{name}, standard error", error))
    }
