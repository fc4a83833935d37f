"""A stored result as one HTML file that opens offline: its sentences, charts, numbers, origin and command.

Everything but the figures is text and is escaped by the template, `page.html.j2`. The page may load nothing and run
nothing but its own two scripts, by their hashes.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from core.base import UserError, legible, without_folders
from core.plan import gains_of
from core.results import Study, compared, protocols, rows_of, study_results
from core.results import best as bests
from core.results.study_table import study_table
from core.show import words
from core.show.figures import evaluation as drawing
from core.show.figures import perplexity
from core.show.figures.charts import CHARTS, InView
from core.show.figures.palette import DARK, LIGHT
from core.show.figures.style import Chart, themed
from core.show.report import remake
from core.show.words import checkpoint_sentences, gain_sentences, perplexity_sentences, study_lines
from core.store import Entry, Profile, Store, profiles

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8").strip()
DRAW = (HERE / "page.js").read_text(encoding="utf-8").strip()
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: legible(value) if type(value) is str else value,
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":")}


Table = list[tuple[str, ...]]  # its heads, then a row each


class Exhibit(NamedTuple):
    """A chart with what must stand beside it."""

    name: str  # for files
    title: str
    finding: str
    looks: dict[str, Any]  # plotly figures for light and dark pages
    table: Table
    note: str  # the protocol


@dataclass(frozen=True)
class Report:
    """Everything that is reported of one result."""

    title: str
    sentences: tuple[str, ...]
    exhibits: tuple[Exhibit, ...]
    table: Table
    origin: tuple[tuple[str, str], ...]  # name, value
    commands: tuple[tuple[str, str], ...]  # what each does, and its text


def exhibit(chart: Chart, note: str, prefix: str, of: str) -> Exhibit:
    """A chart for light and for dark pages.

    Args:
        note: the protocol.
        prefix: begins the name of a downloaded picture.
        of: what its title names in brackets.
    """
    looks = {name: json.loads(themed(chart, look).to_json()) for name, look in (("light", LIGHT), ("dark", DARK))}
    numbers = table([chart.table.columns, *chart.table.itertuples(index=False)])
    name = re.sub(r"[^\w.]+", "-", f"{prefix} {of} {chart.name}")
    return Exhibit(name, f"{chart.title} ({of})", chart.finding, looks, numbers, note)


def table(rows: Iterable[Iterable[object]]) -> Table:
    """Heads and rows of values, numbers with five digits."""
    return [tuple(map(_written, row)) for row in rows]


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else "not a number" if math.isnan(value) else "infinite"
    return str(value)


def page(report: Report, made: str, library: str) -> str:
    """A whole HTML file.

    Args:
        made: one sentence on when and by what it was made.
        library: the source of plotly.js, which is embedded.
    """
    library = library.replace("\r\n", "\n")  # the browser hashes what it reads: line feeds alone
    library = library.replace("</script", r"<\/script").replace("<!--", r"<\!--")  # it cannot end its element early
    trusted = {"style": Markup(STYLE), "library": Markup(library), "draw": Markup(DRAW)}
    hashed = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (library, DRAW))
    only = " ".join(f"'sha256-{each}'" for each in hashed)  # of scripts these may run, whatever else gets into the page
    policy = (
        f"default-src 'none'; script-src {only}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return TEMPLATES.get_template("page.html.j2").render(report=report, made=made, policy=policy, **trusted)


# --- what is reported of a result ------------------------------------------------------------------------------------

KINDS = ("profile", "study", "best")
PREFERRED = "gaussian:0.3"  # charts of a profile are of this perturbation, where it was measured


def html(store: Store, entry: Entry) -> str:
    """The report on a profile, a study or a best setting.

    Raises:
        UserError: it is an export, or a unit is missing.
    """
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by the absorption explorer; it opens offline."
    return page(report(store, entry), made, get_plotlyjs())


def report(store: Store, entry: Entry) -> Report:
    """Everything that is reported of a result; errors as `html`."""
    entry = replace(entry, provenance=without_folders(entry.provenance))  # a report goes to others
    match entry.kind:
        case "profile":
            return _profile(profiles.load(store, entry))
        case "study":
            return _study(entry, study_results.load(store, entry))
        case "best":
            best = bests.load(store, entry)
            judged = _study(entry, best.final)
            sentences = (study_lines.loss(best), *judged.sentences)
            return replace(
                judged, title=study_lines.answer(best), sentences=sentences, commands=tuple(remake.best(best))
            )
    raise UserError(f"{entry.key} is an export: report on the study whose numbers its model card gives")


def _origin(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Everything that a result says of itself, and what exactly was measured."""
    spec = {"what was measured": entry.spec.model_dump(mode="json", exclude_none=True)}
    fields = {"key": entry.key, **entry.provenance, **spec}
    written = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items() if each}
    return tuple((name.replace("_", " "), each) for name, each in written.items())


# --- profiles ------------------------------------------------------------------------------------------------------


def _profile(profile: Profile) -> Report:
    names = [PREFERRED if PREFERRED in profile.by_name else next(iter(profile.by_name)), *profile.others]
    labels = {name: words.perturbation(each) for name, each in profile.perturbations.items()}
    verdicts = {name: gain_sentences.of_perturbation(profile, name) for name in profile.by_name}
    return Report(
        title=f"{labels[names[0]]}: {verdicts[names[0]]}",
        sentences=(
            f"{words.named(profile)}.",
            *(checkpoint_sentences.worst(compared(profile, name)) for name in profile.others),
            *filter(None, [gain_sentences.rounding(profile)]),
        ),
        exhibits=tuple(each for name in dict.fromkeys(names) for each in _charts(profile, name)),
        table=table([("perturbation", "verdict"), *((labels[name], said) for name, said in verdicts.items())]),
        origin=_origin(profile.entry),
        commands=tuple(remake.profile(profile.entry)),
    )


def _charts(profile: Profile, name: str) -> Iterator[Exhibit]:
    """The charts of the absorption part, as far as the profile has what they draw."""
    gains = np.nan_to_num(gains_of(profile.seeds(name)).value[:-1], nan=-np.inf)
    view = InView(profile, name, int(gains.argmax()) if gains.size else 0)
    label = words.perturbation(profile.perturbations[name])
    note = f"{label}; the marked layer, {view.layer}, has the greatest gain · {words.named(profile)}"

    for row in CHARTS:
        with suppress(UserError):  # nothing of the kind was measured
            yield exhibit(row.draw(view), note, f"{profile.key[:6]} {row.key}", label)


# --- studies -------------------------------------------------------------------------------------------------------


def _study(entry: Entry, study: Study) -> Report:
    """The report of a study; `entry` may be the best setting that it judges.

    Raises:
        UserError: losses of a point are not here, for instance because they were corrupt and set aside.
    """
    if gap := next((each for each in study.points if each.evaluated is None), None):
        raise UserError(f"study {study.spec.key} lacks {gap.name}: evaluate it again to fill the gap")
    return Report(
        title=_headline(study),
        sentences=(
            f"{study_lines.badge(study)}.",
            *perplexity_sentences.of_study(study),
            *(f"{each.name}: {each.helped}" for each in study.settings if each.helped),
        ),
        exhibits=tuple(_pictures(study)),
        table=study_table(rows_of(study)).differing.texts,
        origin=_origin(entry),
        commands=tuple(remake.study(study)),
    )


def _headline(study: Study) -> str:
    """Headline of its page: the lowest perplexity where most was compared."""
    if not study.settings:
        return f"Perplexity of the dense model: {study.dense.written}"
    part = max(study.slices, key=lambda each: len(study.within(each)))
    one = perplexity_sentences.leading(study, part)
    return f"Perplexity {one.written} at {part.name}: {one.name}"


def _pictures(study: Study) -> Iterator[Exhibit]:
    """Perplexity over targets of each way of pruning; then each target's changes and corrections."""
    note, prefix = protocols.short_name(study), study.spec.key[:6]
    for part in {each.pruned: each for each in study.slices}.values():
        yield exhibit(perplexity.of_evaluations(study, None, part), note, prefix, part.pruned)
    for part in study.slices:
        corrected = (drawing.correction(study, base, None) for base in drawing.corrected_bases(study, part))
        for number, chart in enumerate(filter(None, (drawing.against_uniform(study, part, None), *corrected))):
            yield exhibit(chart, note, f"{prefix} {number}", part.name)
