"""Every chart is drawn as it was approved: its finding, and of each trace its numbers in brief and what it says."""

from base64 import b64decode
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.base import Estimate, UserError
from core.methods import Treatment
from core.plan import allocate, gains_of, linear_parameters
from core.requests import AllocationRequest, Counts, Recipe, read_allocation
from core.results import Frontier, Leaderboard, Result, SeedResult
from core.show.figures import InView, charts, drift, evaluation, frontier, gain, maps, perplexity
from core.show.report import claims, questions
from core.store import Losses, Store, profiles
from tests import approved, synthetic
from tests.builders.profiles import seeds, stored

APPROVED = Path(__file__).parent / "approved"
LAYERS, NAN, OTHER = 12, float("nan"), "checkpoint:0123456789abcdef"
IN_VIEW = [  # a committed profile and its perturbation, by which every chart is drawn
    ("6e78df", "gaussian:0.3"), ("6e78df", "gaussian:0.01@all"), ("e8d4cf", "skip:head:0"),
    ("337ce1", "residual:wanda+refit:0.7"), ("15dee2", "checkpoint:caed6ff1a684e955"),
]  # fmt: skip
SAID = {
    "array", "arrayminus", "base", "color", "colorscale", "customdata", "dash", "fillcolor", "hovertemplate", "name",
    "range", "size", "symbol", "text", "textposition", "ticktext", "type", "width", "x", "x0", "x1",
    "y", "y0", "z", "zmin",
}  # fmt: skip
CHANGES = {"OWL": (-12.0, -15.0, -9.0), "DLP": (5.0, -1.0, 11.0), "Response, aiming at drift": (-60.0, -64.0, -55.0)}


def brief(value):
    """Of numbers how many are known, their ends, and a sum in which each counts by its place; of words the first."""
    if isinstance(value, dict):
        value = np.frombuffer(b64decode(value["bdata"]), value["dtype"])
    values = np.ravel(np.asarray(value, object))
    try:
        numbers = values.astype(float)
    except ValueError:
        return ", ".join(list(dict.fromkeys(map(str, values)))[:4])
    known = np.isfinite(numbers)
    placed = (numbers * np.arange(1, numbers.size + 1))[known]
    ends = f" {numbers[known].min():.4g} to {numbers[known].max():.4g}, {placed.sum():.4g}" if known.any() else ""
    return f"{known.sum()} of {numbers.size}{ends}"


def leaves(part):
    """What is said of a part of a figure."""
    for name, each in sorted(part.items()):
        if isinstance(each, dict) and "bdata" not in each:
            yield from leaves(each)
        elif name in SAID:
            yield f"{name}: {brief(each)}"


def written(chart):
    """A chart in words: a line for each trace, axis and remark."""
    figure = chart.figure.to_plotly_json()
    axes = [each for name, each in sorted(figure["layout"].items()) if "axis" in name]
    parts = (
        *figure["data"],
        figure["layout"]["title"],
        *axes,
        *figure["layout"].get("annotations", ()),
        *figure["layout"].get("shapes", ()),
    )
    table = f"  table: {', '.join(chart.table)}; {len(chart.table)} rows"
    return [f"{chart.name}: {chart.alt}", *("  " + "; ".join(leaves(each)) for each in parts), table]


# --- what is drawn -------------------------------------------------------------------------------------------------


def of_profile(key):
    store = Store()
    return profiles.load(store, store.by_key(key, ("profile",)))


def line(layers=LAYERS):
    return gains_of(seeds(layers=layers))


def changed(**values):
    """Results in which one layer, or both ends of a field, are other ones."""
    [found] = seeds()
    for name, (place, value) in values.items():
        getattr(found, name)[place] = value
    return [found]


def drawn(draw, view):
    try:
        return draw(view)
    except UserError as lacking:
        return str(lacking)


def every_chart(view):
    return [drawn(row.draw, view) for row in charts.CHARTS]


def odd_layers(_):
    """A layer without drift, at every token or at some; divergences that rounding makes; a model of one layer."""
    activation, at = synthetic.activation(LAYERS, 8), (1, slice(1, None))
    nowhere = {"log_drift": (at, -np.inf), "drift": (at, 0.0), "orthogonal": (at, NAN)}
    for found in (changed(**nowhere), changed(log_drift=(at, -np.inf))):
        yield from (drift.curves(found, 1), drift.dilution(found, activation, 1), drift.direction(found, 1))
    yield drift.harm(changed(kl=(slice(2), [[3e-6], [-1e-7]])), 3)
    yield drift.harm(changed(kl=(slice(None), 0.0)), 3)
    alone = seeds(layers=1, sequences=3)
    yield drift.dilution(alone, synthetic.activation(1, 3), 0)
    yield maps.heatmap(alone, synthetic.floor(1).drift, 0)


def drowned(_):
    """Cells below the noise floor, and half a matrix."""
    floor = np.full((LAYERS, LAYERS), 1e-9)
    floor[2, 5:7] = 1.0
    yield maps.heatmap(seeds(), floor, None)
    yield maps.heatmap(changed(**{field.name: (slice(6, None), NAN) for field in fields(seeds()[0])}), None, None)


def compared(store):
    """Lines of other depth and name; profiles of other models and texts; a tensor without error."""
    value = line().value
    value[5] *= 3
    for other in ({"<b>bold</b>": line(), "shallow": line(5)}, {"a": line(), "b": replace(line(), value=value)}):
        yield gain.compared(other, None, "title", "The first is lower")
    yield gain.gains({"0.3": gains_of(seeds())}, "All said.", "0.3", 2)
    yield gain.of_profiles(of_profile("6e78df"), of_profile("40a79e"), "gaussian:0.3", 4)
    yield gain.of_profiles(of_profile("acb889"), of_profile("d5aa18"), "skip", 4)
    profile = stored(store, OTHER, layers=LAYERS)
    profile.others[OTHER].difference.error[3] = 0
    yield from (draw(InView(profile, OTHER, 0)) for draw in (charts.harm, charts.weights))


def one(name, target, *perplexities):
    """A setting with a calibration seed for every perplexity; without a target the dense model."""
    asked = Recipe(allocation=AllocationRequest(target=target)) if target else None
    results = {}
    for seed, value in enumerate(perplexities):
        nll = np.full(9, np.log(value))
        evaluated = Losses(nll=nll, kl=nll, agreement=nll, zeros=np.zeros((6, 1)))
        results[seed] = SeedResult(asked, None, evaluated, {}, {"broken": 4})
    return Result(asked, name, results, {})


class Part(SimpleNamespace):
    """Stands for what is known by its identity."""

    __hash__ = object.__hash__


def evaluated(_):
    """Perplexities over targets, of too few windows, and one that is not a number; changes; a training."""
    settings = (
        one("Uniform", 0.5, 20.0), one("Uniform", 0.7, 60.0, 64.0), one("OWL", 0.7, 45.0, 50.0), one("OWL", 0.5, 18.0),
        one("LSA", 0.7, 44.0, 70.0, 90.0), one("DLP", 0.7, NAN),
    )  # fmt: skip
    for windows in (7, 9):
        spec = SimpleNamespace(text=SimpleNamespace(sequences=windows))
        found = Part(settings=settings, dense=one("dense", None, 15.2), spec=spec)
        yield perplexity.of_evaluations(found, Part(name="OWL"))
    yield evaluation.changes({name: Estimate(*ends, 24) for name, ends in CHANGES.items()}, "OWL", "uniform")
    tokens = np.array([0, 1024, 2048, 3072.0])
    yield from (evaluation.training(tokens, np.array(nats)) for nats in ([1.4, 1.1, 1.2], [1.4]))


def answers(_):
    """Every question of Evidence at its last target, claims and benches; a study with a setting in view."""
    for name in questions.QUESTIONS:
        answer = questions.answer(name)
        yield questions.chart(answer, answer.targets[-1])
    yield from (claim.chart() for claim in claims.CLAIMS.values())
    yield from (bench.chart(name) for name, bench in questions.BENCHES.items() if bench.bars)
    study = questions.committed("controlled")
    part = next(iter(study.slices))
    [base, *_] = evaluation.corrected_bases(study, part)
    current = study.corrections(base)[0]
    yield from (perplexity.of_evaluations(study, current, part), evaluation.correction(study, base, current))
    yield evaluation.against_uniform(study, part, current)
    for name in ("repaired", "bits"):
        yield perplexity.of_evaluations(questions.committed(name), None)


def allocations(_):
    """The methods at a target, and budgets of linears."""
    profile, request = of_profile("6e78df"), read_allocation("owl:0.7")
    study = questions.committed("plain")
    among = Leaderboard(profile, study, next(each for each in study.slices if each.target == 0.7))
    ranked = [among.in_view("this allocation", allocate(request, profile).exact), *among.ranking(request)]
    yield perplexity.perplexity_by_method(ranked, study.dense.perplexity)
    demo, counts = Store().profile("demo"), Counts(106_168_320, 28_311_552, 35_136)
    for by, share in (("gguf", 0.69), ("gguf", 0.6), ("quantised_symmetric", 0.75)):  # whose names part at every size
        of = Frontier(of_profile(demo.key), Treatment(by), counts, (), None)
        best = of.best((even := of.even(share)).amount)
        yield frontier.frontier(of, best, even, best.amount)
    for key, asked in (("5d5fdc", "zeros:0.7"), ("dc7d36", "bits:3"), ("cb91c3", "integers:4")):
        profile, request = of_profile(key), read_allocation(f"response granularity=linear currency={asked}")
        names, unit = profile.provenance["linears"], request.budget_unit
        yield maps.linears(allocate(request, profile).exact, linear_parameters(profile), names, unit)


CASES = {name: lambda _, key=key, name=name: every_chart(InView(of_profile(key), name, 10)) for key, name in IN_VIEW}
CASES |= {each.__name__: each for each in (odd_layers, drowned, compared, evaluated, answers, allocations)}


@pytest.mark.parametrize("case", CASES)
def test_a_chart_is_drawn_as_it_was_approved(case, tmp_path):
    every = CASES[case](Store(tmp_path))
    lines = [line for chart in every for line in ([chart] if isinstance(chart, str) else written(chart))]
    approved.check(APPROVED / f"{case.replace(':', '-')}.txt", lines)
