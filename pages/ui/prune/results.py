"""The results part of the prune page: verdicts, charts, numbers, each under its protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.allocation.response import OBJECTIVES
from core.analysis import verdicts
from core.analysis.comparing import Change, Line, Results, Slice, accuracy_change
from core.analysis.comparison import FEWEST_WINDOWS
from core.analysis.phrases import listed
from core.figures import Chart
from core.figures import results as drawing
from core.figures.evaluation import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY
from core.specs import grammar, naming
from core.specs.errors import UserError
from core.specs.settings import Setting
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.prune.stored import Group, stamp

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


def show(group: Group, profile: Profile, setting: Setting, prefix: str) -> None:
    """Everything that was measured under one protocol."""
    results = group.results
    if not results.lines:
        st.info("This study holds the dense model alone: evaluate a setting to compare it.")
        _dense(results, group)
        return
    shown = results.of(setting)
    part = _choose_slice(results, setting)
    in_part = shown if shown in results.within(part) else None
    _verdicts(results, part, in_part, group)
    for line in results.lines:
        if line.helped:
            st.warning(f"{line.name}. {line.helped}")
    if shown is None:
        st.caption(_lacking(results, setting))
    _draw(drawing.perplexity(results, shown, view.look()), group, prefix, "perplexity")
    left, right = st.columns(2, gap="large")
    with left:
        chart = drawing.against_uniform(results, part, in_part, view.look())
        if chart:
            _draw(chart, group, f"{prefix}-{part.target:g}", "changes")
        else:
            st.info("Only uniform is measured here: evaluate an allocation to compare it.")
    with right:
        _correction(results, part, in_part, group, prefix)
    _zero_shot(results, part, in_part, group, prefix)
    _trust(results, part, in_part, profile, group, prefix)
    _numbers(results, group, prefix)


def _lacking(results: Results, setting: Setting) -> str:
    """That the setting in view was not measured, told from those that are called alike."""
    name = naming.setting(setting, [each.setting for each in results.lines])
    alike = [(each.name, _unlike(each, setting)) for each in results.lines]
    told = [f"{other} has {listed(words)}" for other, words in alike if words]
    where = f", where {listed(told)}" if told else ""
    return f"The setting in view ({name}) is not among them{where}: evaluate it to see it here."


def _unlike(line: Line, setting: Setting) -> list[str]:
    """The parameters in which a line differs from a setting that it is called like; none for others."""
    if naming.kind(line.setting) != naming.kind(setting):
        return []
    short = [naming.allocation(each.allocation) for each in (line.setting, setting)]
    words = naming.parameters(line.setting.allocation, [setting.allocation])
    return words if short[0] == short[1] and not set(words) & set(line.name.split(", ")) else []


def _choose_slice(results: Results, setting: Setting) -> Slice:
    """Pruner and target to compare within: those in view if measured, else the fullest."""
    names = {each.name: each for each in results.slices}
    mine = next((name for name, each in names.items() if each.target == setting.allocation.target
                 and (each.pruner, each.pattern) == (setting.pruner, setting.pattern)), None)  # fmt: skip
    fullest = max(names, key=lambda name: len(results.within(names[name])))
    chosen = view.sync("within", list(names), mine or fullest)
    if len(names) > 1:
        st.selectbox("Compare within", list(names), key="within")
    return names[chosen]


def _verdicts(results: Results, part: Slice, shown: Line | None, group: Group) -> None:
    st.header(f"The verdict at {part.name}", anchor=False)
    model = results.study.provenance.get("model", "this model")
    windows = results.study.spec.text.sequences
    found = verdicts.sentences(results, part, shown)
    if windows < FEWEST_WINDOWS:
        st.warning(f"Too few windows to tell: {windows} were evaluated, {FEWEST_WINDOWS} are needed for an interval.")
    dense = f"On {model}, whose dense perplexity is {_perplexity(results.dense)}:" if results.dense else f"On {model}:"
    st.markdown("\n".join([dense, "", *(f"- {each}" for each in found)]) if found else f"{dense} only uniform so far.")
    _badge(group)
    st.caption(f"{HEADLINE} {SELECTED}")


def _perplexity(measured: object) -> str:
    value = measured.perplexity
    return f"{value:,.4g}" if np.isfinite(value) else measured.trouble


def _dense(results: Results, group: Group) -> None:
    if results.dense:
        st.metric("Dense perplexity", _perplexity(results.dense))
        _badge(group)


def _draw(chart: Chart, group: Group, prefix: str, key: str) -> None:
    """A chart and, under it, the protocol of its numbers."""
    frame.show(chart, prefix, key)
    _badge(group)


def _badge(group: Group) -> None:
    stamp(group.badge, group.versions)


def _correction(results: Results, part: Slice, shown: Line | None, group: Group, prefix: str) -> None:
    bases = {each.name: each for each in drawing.corrected_bases(results, part)}
    if not bases:
        st.header("The correction beside its controls", anchor=False)
        st.info(
            "No correction was measured within this pruner and target: under Evaluate choose "
            "*this family* to measure it with its controls."
        )
        return
    mine = results.base(shown).name if shown and results.base(shown) else next(iter(bases))
    name = view.sync("of", list(bases), mine)
    if len(bases) > 1:
        st.selectbox("Correction of", list(bases), key="of")
    _draw(drawing.correction(results, part, bases[name], shown, view.look()), group, prefix, "correction")


def _zero_shot(results: Results, part: Slice, shown: Line | None, group: Group, prefix: str) -> None:
    options = drawing.tasks_within(results, part)
    if not options:
        st.caption("No zero-shot task was asked for: name some under Evaluate to see accuracies beside perplexity.")
        return
    task = view.sync("task", list(options), next(iter(options)))
    view.switch("Zero-shot task", options, "task")
    _draw(drawing.zero_shot(results, part, task, shown, view.look()), group, prefix, "zero-shot")
    corrected = shown if shown and results.base(shown) else None
    said = [_accuracy_sentence(results, corrected, results.shared(part)) if corrected else None]
    said += [_unasked(results, part, task)]
    st.caption(" ".join(["0-shot, acc; the protocol says how many examples.", *filter(None, said)]))


def _unasked(results: Results, part: Slice, task: str) -> str | None:
    """Which settings have no bar because the task was not asked of them."""
    lacking = [each.name for each in results.within(part) if task != drawing.MEAN and not each.has(task)]
    return f"Not asked of {', '.join(lacking)}." if lacking else None


def _accuracy_sentence(results: Results, line: Line, tasks: Sequence[str]) -> str | None:
    found = accuracy_change(line, results.base(line), tasks)
    if found is None or not np.isfinite(found[0]):
        return None
    value, error = (100 * each for each in found)
    return (
        f"{line.name}: {value:+.2f} ± {error:.2f} points of accuracy against its base, the mean of tasks "
        f"({PAPER_ACCURACY:+.2f}% in the {PAPER})."
    )


def _trust(results: Results, part: Slice, shown: Line | None, profile: Profile, group: Group, prefix: str) -> None:
    objective = view.sync("judge", list(OBJECTIVES), "drift")
    try:
        chart = drawing.trust(results, part, profile, objective, shown, view.look())
    except UserError as error:
        st.header("Estimate against measured", anchor=False)
        st.info(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        return
    view.switch("Estimate the harm by", OBJECTIVES, "judge")
    _draw(chart, group, f"{prefix}-{part.target:g}", "trust")
    st.caption(TRUST)


def seeded(results: Results) -> str:
    """How to read perplexities beside changes where settings were not measured with the same seeds; else nothing."""
    if len({line.drawn for line in results.lines if line.drawn}) < 2:
        return ""
    return (
        "A perplexity is the mean over all calibration seeds of its setting; a change is between the seeds that both "
        "settings have, so it need not be the quotient of two perplexities."
    )


def _numbers(results: Results, group: Group, prefix: str) -> None:
    st.header("Every number", anchor=False)
    table = rows(results).dropna(axis=1, how="all")
    frame.show_table(table, "Every setting with all that was measured of it", _columns(table))
    _badge(group)
    if seeded(results):
        st.caption(seeded(results))
    st.download_button(
        "Download CSV",
        lambda: table.assign(protocol=group.badge).to_csv(index=False),
        file_name=f"{prefix}-study.csv",
        mime="text/csv",
        key="numbers-csv",
        on_click="ignore",
    )


def _columns(table: pd.DataFrame) -> dict:
    """What a row is stays in sight; changes have one number of decimals, whatever the column."""
    changes = {name: st.column_config.NumberColumn(format="%+,.2f") for name in table if name.startswith(CHANGES)}
    return {"setting": st.column_config.TextColumn(pinned=True)} | changes


def rows(results: Results) -> pd.DataFrame:
    """A row per setting: perplexity, changes with intervals, divergence, agreement, zeros achieved, accuracies."""
    found = []
    if results.dense:
        found.append({"setting": "dense", "target": np.nan, **_of(Line(None, "dense", (results.dense,)), results)})
    for line in results.lines:
        row = {"setting": line.name, "target": line.setting.allocation.target}
        row |= {"pruner": naming.PRUNERS[line.setting.pruner], **_of(line, results)}
        for name, change in (("uniform", results.against_uniform(line)), ("base", results.against_base(line))):
            row |= _against(name, change) if change else {}
        found.append(row | {"with all parameters": grammar.said(line.setting.allocation)})
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


def _of(line: Line, results: Results) -> dict[str, object]:
    units = [each for each in line.seeds if each.evaluated]
    told = {
        "perplexity": line.perplexity,
        "not finite from layer": line.broken,
        "KL, nats": float(np.mean([each.kl for each in units])),
        "agreement": float(np.mean([each.agreement for each in units])),
        "zeros, mean of linears": float(np.mean([np.nanmean(each.evaluated.zeros) for each in units])),
        "calibration seeds": ", ".join(map(str, line.drawn)),
    }
    return told | _accuracies(line, results)


def _accuracies(line: Line, results: Results) -> dict[str, float]:
    """Accuracy of every task that was asked of a line, with its standard error."""
    found = {name: line.accuracy(name) for name in results.tasks if line.has(name)}
    return {
        column: value
        for name, (mean, error, _) in found.items()
        for column, value in ((name, mean), (f"{name}, standard error", error))
    }
