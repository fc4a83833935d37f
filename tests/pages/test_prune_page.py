"""The prune page: verdicts from the data, protocols apart, the view in the URL, and exactly the request described."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import cost, jobs, processes, settings, studies
from core.allocation import written
from core.allocation.requests import AllocationRequest, Correction, Owl
from core.errors import UserError
from core.export import target
from core.models.sources import Source
from core.outline import Outline
from core.profiles import load
from core.records import Status
from core.settings import ExportRequest, Setting, StudyRequest
from core.specs import WindowRequest
from core.store import Store
from core.studies import Measured, Study
from core.study_file import read_study
from pages.ui.prune import comparing, costing, drawing, exporting, families, naming, stored, take, verdicts
from pages.ui.prune.asking import Pruning
from pages.ui.prune.results import rows
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.test_absorption_page import figures, named
from tests.pages.test_shell import loads, opened_at, shell

LAYERS = 6
EXPECTED = cost.Cost(flops=6e12, memory=2**30, seconds=120, rough=True, rate=5e10, parts=6)
PROFILE = synthetic.profile_spec(LAYERS, prunable=True)
OWL = written.method("owl", 0.7)
Costs = Callable[[Setting], float]


@pytest.fixture
def store(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A cache with one profile that can be pruned; the cost is invented and no worker starts."""
    monkeypatch.setattr(cost, "of_study", lambda *_: EXPECTED)
    monkeypatch.setattr(jobs, "ensure_worker", lambda *_: None)
    synthetic.save_profile(empty_cache, PROFILE, LAYERS, "deep model")
    return Store(empty_cache)


def family(seeds: tuple[int, ...] = (0,)) -> tuple[Setting, ...]:
    """OWL with its correction and controls at two strengths, and two more allocators."""
    asked = families.family(OWL, "gaussian:0.3", [0.0, 0.04, 0.08], families.CONTROLS, 5)
    more = [written.method(name, 0.7) for name in ("alphapruning", "depth_ramp")]
    return families.combined([*asked, *more], "wanda", seeds)


def save(
    store: Store, asked: tuple[Setting, ...], costs: Costs = synthetic.invented_cost, windows: int = 24, **more: object
) -> str:
    """A study of the profile in the cache."""
    named = {name: more.pop(name) for name in ("tasks", "length") if name in more}
    label = str(more.get("text", "invented evaluation text"))
    spec = synthetic.study_spec(PROFILE, asked, LAYERS, windows, text=label, **named)
    return synthetic.save_study(store.root, spec, LAYERS, PROFILE.key, costs, **more)


def opened(**view: str) -> AppTest:
    """The page with a view in its URL."""
    return opened_at("prune", **view)


def asked(app: AppTest, key: str) -> str:
    """What the URL says under a key."""
    found = app.query_params[key]
    return found if isinstance(found, str) else found[0]


def verdict(app: AppTest) -> str:
    """The sentences under the verdict."""
    return next(each.value for each in app.markdown if each.value.startswith("On invented model"))


def badges(app: AppTest) -> list[str]:
    return [each.value for each in app.caption if "**Protocol:**" in each.value]


# --- results -------------------------------------------------------------------------------------------------------


def test_every_part_is_shown_under_its_protocol(store: Store) -> None:
    save(store, family((0, 1, 2)), tasks=("boolq", "rte"))
    app = opened(strength="0.04")
    assert not app.exception and not app.error
    assert [each.value for each in app.header] == [
        "The verdict at 70% zeros, Wanda",
        "Perplexity against target sparsity",
        "Cost or gain against uniform",
        "The correction beside its controls",
        "Zero-shot accuracy",
        "Estimate against measured",
        "Every number",
    ]
    assert len(badges(app)) == 7 and len(set(badges(app))) == 1
    assert "24 × 512 tokens" in badges(app)[0] and "seeds 0, 1, 2" in badges(app)[0]
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    said = " ".join(each.value for each in app.caption)
    assert "-7.13 % perplexity, +1.02 % accuracy (paper, second-hand; other models" in said


@pytest.mark.parametrize(
    ("corrected", "reversed_", "shuffled", "expected"),
    [
        (
            0.15,
            0.15,
            0.15,
            ["correction at strength 0.08 costs 16.2 %", "Reversed is no different from the correction"],
        ),
        (-0.15, 0.1, 0.1, ["correction at strength 0.08 gains 13.9 %", "Every control does worse"]),
        (
            -0.15,
            -0.15,
            0.1,
            ["correction at strength 0.08 gains 13.9 %", "it is not the measured absorption that helps"],
        ),
        (0.0, -0.3, 0.0, ["correction at strength 0.08 is no different from its base, OWL", "Reversed gains 25.9 %"]),
    ],
)
def test_the_verdict_follows_the_data(
    store: Store, corrected: float, reversed_: float, shuffled: float, expected: list[str]
) -> None:
    def costs(setting: Setting) -> float:
        fix = setting.allocation.correction
        rise = {"none": corrected, "reversed": reversed_, "shuffled": shuffled, "ramp": 0.2}[fix.control]
        return 1.0 + (rise if fix.strength else 0.0)

    save(store, family(), costs)
    said = verdict(opened())
    assert all(text in said for text in expected), said


def test_the_setting_in_view_decides_which_strength_is_spoken_of(store: Store) -> None:
    save(store, family())
    assert "correction at strength 0.04" in verdict(opened(strength="0.04"))
    assert "correction at strength 0.08" in verdict(opened())


def test_not_a_number_is_said_with_its_layer(store: Store) -> None:
    asked = family()
    broken = {each: 3 for each in asked if each.allocation.base.kind == "depth_ramp"}
    save(store, asked, broken=broken)
    app = opened()
    assert not app.exception
    assert "Depth ramp: the perplexity is not a number, from layer 3 on." in verdict(app)
    assert "Depth ramp at 70\u00a0%: the perplexity is not a number, from layer 3 on." in " ".join(
        each.value for each in app.markdown
    )


def test_too_few_windows_tell_nothing(store: Store) -> None:
    save(store, family(), windows=4)
    app = opened()
    assert app.warning[0].value == "Too few windows to tell: 4 were evaluated, 8 are needed for an interval."
    said = verdict(app)
    assert "too few windows to tell (n = 4, 8 are needed)" in said
    assert not re.search(r"\b(gains|costs)\b", said)


def test_unlike_protocols_are_never_on_one_axis(store: Store) -> None:
    first = save(store, family()[:2], text="one text")
    second = save(store, family()[:2], lambda setting: 9.0, text="another text")
    app = opened(study=first)
    picker = app.selectbox(key="study")
    assert len(picker.options) == 2
    assert all("one text" in each for each in badges(app)) and badges(app)
    drawn = json.dumps(figures(app)[1])
    app = picker.set_value(second).run()
    assert all("another text" in each for each in badges(app)) and badges(app)
    assert json.dumps(figures(app)[1]) != drawn
    other = opened(study=second, windows="9")
    assert all("another text" in each for each in badges(other))


def test_studies_of_one_protocol_are_one(store: Store) -> None:
    one, two = save(store, family()[:1]), save(store, family()[1:3])
    assert one != two
    app = opened(study=two)
    assert not app.warning and "study" not in {each.key for each in app.selectbox}
    table = app.dataframe[-1].value
    assert {"Uniform", "OWL", "OWL, corrected 0.04", "OWL, reversed 0.04"} <= set(table["setting"])
    assert list(table["setting"]).count("Uniform") == 1


def drawn(group: stored.Group) -> set[str]:
    """Names of the curves of perplexity against target."""
    return set(drawing.perplexity(group.results, None).table["method"])


def test_magnitude_shares_a_chart_with_what_is_calibrated(store: Store) -> None:
    wanda = save(store, families.combined(families.alone(OWL), "wanda", (0,)))
    magnitude = save(store, families.combined(families.alone(OWL), "magnitude", (0,)))
    [group] = stored.groups(load(store, store.profile(PROFILE.key))).values()
    assert drawn(group) == {"Uniform, Wanda", "OWL, Wanda", "Uniform, magnitude", "OWL, magnitude"}
    assert "calibrated on invented calibration text, 16 × 64, seed 0; magnitude looks at no text" in group.badge
    assert group.badge.endswith(f"studies {wanda[:6]}, {magnitude[:6]}")
    app = opened(study=magnitude, by="magnitude")
    assert not app.warning and not app.exception and app.session_state["study"] == wanda
    assert len({*badges(app)}) == 1 and "Uniform, magnitude" in set(app.dataframe[-1].value["setting"])
    assert group.holding(Setting(pruner="magnitude", allocation=OWL)) == magnitude
    assert group.holding(Setting(pruner="wanda", allocation=OWL)) == wanda


def recalibrated(store: Store, asked: tuple[Setting, ...], windows: int, profile: str | None = PROFILE.key) -> str:
    """A study calibrated on so many windows."""
    spec = synthetic.study_spec(PROFILE, asked, LAYERS)

    def amount(point: settings.Point) -> settings.Point:
        if point.pruned is None or point.pruned.calibration is None:
            return point
        used = point.pruned.calibration.model_copy(update={"windows": point.pruned.calibration.windows[:windows]})
        return point.model_copy(update={"pruned": point.pruned.model_copy(update={"calibration": used})})

    spec = spec.model_copy(update={"points": tuple(map(amount, spec.points))})
    return synthetic.save_study(store.root, spec, LAYERS, profile)


def test_other_calibrations_stay_apart_and_magnitude_joins_each(store: Store) -> None:
    both = (
        *families.combined(families.alone(OWL), "wanda", (0,)),
        *families.combined(families.alone(OWL), "magnitude", (0,)),
    )
    few, many = recalibrated(store, both, 4), recalibrated(store, both[:1], 8)
    found = stored.groups(load(store, store.profile(PROFILE.key)))
    assert set(found) == {few, many}
    assert "magnitude" in " ".join(drawn(found[many])) and "16 × 64" not in found[many].badge
    assert "8 × 64, seed 0; magnitude" in found[many].badge and "4 × 64, seed 0; magnitude" in found[few].badge
    calibrated = {p.pruned.calibration.sequences for p in found[many].results.study.spec.points
                  if p.pruned and p.pruned.calibration}  # fmt: skip
    assert calibrated == {8}, "only points without calibration come from the other study"
    assert opened(study=few, by="magnitude").session_state["study"] == few, "a study's own group, not where it joins"
    assert found[many].holding(both[-1]) == few and found[many].holding(both[0]) == many


def test_allocations_that_looked_at_another_profile_do_not_join(store: Store) -> None:
    recalibrated(store, families.combined(families.alone(OWL), "wanda", (0,)), 16)
    recalibrated(store, families.combined(families.alone(OWL), "magnitude", (0,)), 16, "another")
    found = list(stored.groups(load(store, store.profile(PROFILE.key))).values())
    assert sorted(map(len, map(drawn, found))) == [2, 3], "uniform looks at none, so it joins; OWL does not"


def test_a_link_to_a_study_that_is_not_here_says_so(store: Store) -> None:
    save(store, family())
    app = opened(study="feedfacefeedface")
    assert "feedfacefeedface" in app.warning[0].value and not app.exception
    assert "study" not in app.query_params


def test_only_uniform_is_answered_with_what_to_do(store: Store) -> None:
    save(store, families.combined([AllocationRequest()], "wanda", (0,)))
    app = opened()
    assert not app.exception
    assert any("evaluate an allocation to compare it" in each.value for each in app.info)
    assert any("this family" in each.value for each in app.info)


def test_a_dense_model_alone_is_shown(store: Store) -> None:
    save(store, ())
    app = opened()
    assert not app.exception and app.metric[0].value
    assert "dense model alone" in app.info[0].value


def test_no_study_says_what_to_do(store: Store) -> None:
    app = opened(part="results")
    assert "choose Evaluate above" in app.info[0].value
    assert not app.exception


def test_estimates_stand_against_what_was_measured(store: Store) -> None:
    save(store, family())
    app = opened()
    finding = next(each.value for each in app.markdown if each.value.startswith("Rank correlation"))
    assert re.match(r"Rank correlation -?[\d.]+ over n = \d+ allocations of 70% zeros, Wanda", finding)
    save(store, families.combined(families.alone(OWL), "magnitude", (0,)), text="magnitude text")
    app = opened(by="magnitude")
    assert any("magnitude residuals" in each.value for each in app.info)


# --- comparing -----------------------------------------------------------------------------------------------------


def study(asked: tuple[Setting, ...], windows: int = 24) -> comparing.Results:
    """A study in memory."""
    spec = synthetic.study_spec(PROFILE, asked, LAYERS, windows)
    points = tuple(Measured(point, synthetic.evaluated(point, windows, LAYERS), {}, {}) for point in spec.points)
    return comparing.Results(Study(spec, {}, points))


def test_a_change_is_paired_and_spread_over_seeds() -> None:
    results = study(family((0, 1, 2)))
    line = next(each for each in results.lines if each.name == "AlphaPruning")
    found = results.against_uniform(line)
    assert (found.windows.n, found.seeds.n) == (24, 3)
    rise = [synthetic.invented_cost(each) for each in (line.setting, line.setting.uniform)]
    assert found.windows.low < 100 * math.expm1(rise[0] - rise[1]) < found.windows.high
    assert found.windows.high - found.windows.low < 3, "windows differ by far more than that"


def test_magnitude_has_no_spread_over_seeds() -> None:
    asked = tuple(Setting(pruner="magnitude", allocation=OWL, calibration_seed=seed) for seed in range(3))
    results = study(asked)
    assert [len(each.seeds) for each in results.lines] == [1, 1]
    assert not results.against_uniform(results.lines[1]).seeds.certain


def test_names_tell_settings_apart() -> None:
    plain, other = OWL, written.method("owl m=3", 0.7)
    by_hand = [
        AllocationRequest(base=families.Manual(sparsity=(level,) * 6), target=0.7, unclipped=True)
        for level in (0.7, 0.700001)
    ]
    asked = families.combined([plain, other, *by_hand, *families.alone(_corrected(0.04))], "wanda", (0,))
    names = naming.titles(asked)
    assert len(set(names.values())) == len(set(asked))
    assert {"OWL, corrected 0.04", "set by hand", "set by hand #2", "OWL, m 3"} <= set(names.values())


def _corrected(strength: float) -> AllocationRequest:
    return OWL.model_copy(update={"correction": Correction(strength=strength)})


def test_a_verdict_needs_no_correction() -> None:
    results = study(families.combined([OWL], "wanda", (0,)))
    [said] = verdicts.sentences(results, results.slices[0], None)
    assert said.startswith("OWL gains ") and said.endswith("of perplexity against uniform (one calibration seed).")


def test_merging_keeps_what_either_study_has() -> None:
    one, two = study(family()[:2]).study, study(family()[1:4]).study
    whole = stored.merged([one, two])
    assert {each.name for each in whole.points} == {each.name for found in (one, two) for each in found.points}
    assert len(whole.points) == len({each.point for each in whole.points})


def test_a_method_with_other_parameters_at_each_target_says_so() -> None:
    at = [Setting(allocation=AllocationRequest(base=Owl(m=m), target=target)) for m, target in ((5, 0.6), (7, 0.7))]
    results = study(tuple(at))
    assert "OWL stood with other parameters at each target" in drawing.perplexity(results, None).finding
    table = rows(results)
    assert {"owl m=5 lam=0.08", "owl m=7 lam=0.08"} <= set(table["with all parameters"])
    same = study(tuple(each.model_copy(update={"allocation": at[0].allocation}) for each in at[:1]))
    assert "other parameters" not in drawing.perplexity(same, None).finding


def judged(seeds: dict[int, float], windows: int = 24) -> str:
    """What is said of OWL against uniform, its rise of the loss over uniform's given by calibration seed."""
    asked = families.combined([OWL], "wanda", tuple(seeds))
    spec = synthetic.study_spec(PROFILE, asked, LAYERS, windows)

    def costs(setting: Setting) -> float:
        return 1.0 + (seeds[setting.calibration_seed] if setting.allocation.base.kind == "owl" else 0.0)

    found = (Measured(each, synthetic.evaluated(each, windows, LAYERS, costs), {}, {}) for each in spec.points)
    results = comparing.Results(Study(spec, {}, tuple(found)))
    [said] = verdicts.sentences(results, results.slices[0], None)
    return said


@pytest.mark.parametrize(
    ("seeds", "end"),
    [
        ({0: -0.3}, "of perplexity against uniform (one calibration seed)."),
        ({0: -0.3, 1: -0.3}, "of perplexity against uniform (two calibration seeds)."),
        ({0: -0.3, 1: -0.31, 2: -0.32}, ", and over 3 calibration seeds too: a gain of 24.8 to 28.5\u00a0%."),
        (
            {0: -0.1, 1: -0.2, 2: -1.2},
            "; over 3 calibration seeds this is not certain: "
            "anything from a gain of 87\u00a0% to a cost of 175\u00a0%.",
        ),
        (
            {0: 0.0, 1: 0.2, 2: -0.2},
            "; over 3 calibration seeds neither: anything from a gain of 39\u00a0% to a cost of 64\u00a0%.",
        ),
    ],
)
def test_a_verdict_says_what_calibration_seeds_make_of_it(seeds: dict[int, float], end: str) -> None:
    assert judged(seeds).endswith(end), judged(seeds)


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        (
            (0.3,),
            "Every control does worse: the gain is the correction's own, as far as one calibration seed can tell.",
        ),
        ((0.3, 0.3, 0.3), "Every control does worse: the gain is the correction's own."),
        ((0.1, 0.2, 1.2), "this is not certain"),
    ],
)
def test_a_gain_is_the_corrections_own_only_as_far_as_its_seeds_tell(gains: tuple[float, ...], expected: str) -> None:
    asked = families.combined(
        families.family(OWL, "gaussian:0.3", [0.0, 0.04], ["reversed"], 1), "wanda", tuple(range(len(gains)))
    )

    def costs(setting: Setting) -> float:
        fix = setting.allocation.correction
        rise = {"none": -gains[setting.calibration_seed], "reversed": 0.2}[fix.control]
        return 1.0 + (rise if fix.strength else 0.0)

    spec = synthetic.study_spec(PROFILE, asked, LAYERS, 24)
    found = (Measured(each, synthetic.evaluated(each, 24, LAYERS, costs), {}, {}) for each in spec.points)
    results = comparing.Results(Study(spec, {}, tuple(found)))
    said = verdicts.sentences(results, results.slices[0], None)[0]
    assert expected in said and ("the correction's own" in said) == ("own" in expected), said


def test_seeds_add_nothing_to_too_few_windows() -> None:
    assert judged({0: -0.3, 1: -0.3, 2: -0.3}, 4).endswith("too few windows to tell (n = 4, 8 are needed).")


def test_settings_without_a_seed_in_common_are_not_called_broken() -> None:
    found = comparing.Change(comparing.UNKNOWN, comparing.UNKNOWN)
    said = verdicts._against("OWL", "uniform", found)
    assert said == "OWL and uniform have no calibration seed in common, so they are not compared."


@pytest.mark.parametrize(
    ("shuffles", "corrected", "expected"),
    [
        ((0.0, 0.0, 0.0, 0.0, 0.0), 0.2, "Among 5 shuffles the correction is worse than 5."),
        (
            (0.0, 0.0, 0.4, 0.2, 0.0),
            0.2,
            "Among 5 shuffles the correction is worse than 3, better than 1 and no different",
        ),
        ((0.3, 0.3), 0.1, "Among 2 shuffles (5 or more make a range) the correction is better than 2."),
        ((0.0,), 0.3, "The correction is worse than the one shuffle measured (5 or more make a range)."),
    ],
)
def test_the_correction_has_a_place_among_its_shuffles(
    shuffles: tuple[float, ...], corrected: float, expected: str
) -> None:
    asked = families.family(OWL, "gaussian:0.3", [0.0, 0.04], ["shuffled"], len(shuffles))

    def costs(setting: Setting) -> float:
        fix = setting.allocation.correction
        if not fix.strength:
            return 1.0
        return 1.0 + (corrected if fix.control == "none" else shuffles[fix.seed])

    spec = synthetic.study_spec(PROFILE, families.combined(asked, "wanda", (0,)), LAYERS, 24)
    found = (Measured(each, synthetic.evaluated(each, 24, LAYERS, costs), {}, {}) for each in spec.points)
    results = comparing.Results(Study(spec, {}, tuple(found)))
    said = " ".join(verdicts.sentences(results, results.slices[0], None))
    assert expected in said, said


# --- zero-shot -----------------------------------------------------------------------------------------------------


def sampled(store: Store, asked: tuple[Setting, ...], examples: int, content: str = "boolq", seed: int = 0) -> str:
    """A study with a sample of one task."""
    plain = synthetic.study_spec(PROFILE, asked, LAYERS)
    task = settings.TaskSpec(name="boolq", content=content, examples=examples, seed=seed)
    spec = plain.model_copy(update={"tasks": (task,)})
    for point in spec.points:
        for unit in spec.zero_shot(point):
            store.save(unit, synthetic.answered(point, content, examples), {})
    return synthetic.save_study(store.root, spec, LAYERS, PROFILE.key)


def test_answers_to_other_examples_are_never_on_one_axis(store: Store) -> None:
    sampled(store, family()[:2], 20)
    sampled(store, family()[:3], 40)
    app = opened()
    assert not app.exception
    assert "zero-shot on 20 examples of boolq" in badges(app)[0] and "40 examples of boolq" in badges(app)[0]
    [group] = stored.groups(load(store, store.profile(PROFILE.key))).values()
    results, part = group.results, group.results.slices[0]
    assert results.tasks == ("boolq (20 examples)", "boolq (40 examples)")
    few, many = (drawing.zero_shot(results, part, task, None).table for task in results.tasks)
    assert set(many["setting"]) - set(few["setting"]) == {"OWL, reversed 0.04"}
    assert results.shared(part) == ("boolq (40 examples)",), "a mean holds what all were asked, no task twice"
    app.query_params["task"] = "boolq (20 examples)"
    assert any("Not asked of OWL, reversed 0.04." in each.value for each in app.run().caption)
    lines = {each.name: each for each in results.lines}
    assert (lines["OWL"].accuracy("boolq (20 examples)")[2], lines["OWL"].accuracy("boolq (40 examples)")[2]) == (
        20,
        40,
    )
    table = app.dataframe[-1].value
    assert {"boolq (20 examples)", "boolq (40 examples)"} <= set(table.columns)


@pytest.mark.parametrize("other", [{"content": "boolq, changed"}, {"seed": 3}])
def test_another_version_or_sample_of_a_task_is_another_task(store: Store, other: dict) -> None:
    sampled(store, family()[:2], 20)
    sampled(store, family()[:3], 20, **other)
    [group] = stored.groups(load(store, store.profile(PROFILE.key))).values()
    assert len(group.results.tasks) == 2
    tasks = group.results.study.spec.tasks
    assert len(tasks) == 2 and len(set(comparing.labels(tasks).values())) == 2


def test_a_study_without_tasks_does_not_hide_those_of_another(store: Store) -> None:
    save(store, family()[:1])
    save(store, family()[:3], tasks=("boolq",))
    app = opened()
    assert not app.exception and "Zero-shot accuracy" in {each.value for each in app.header}


# --- the badge -----------------------------------------------------------------------------------------------------


def test_the_badge_names_the_studies_and_the_seeds_of_each(store: Store) -> None:
    keys = [save(store, family((0, 1, 2))[:3]), save(store, family()[1:4])]
    [badge] = set(badges(opened()))
    assert re.search(r"studies ([0-9a-f]{6}), ([0-9a-f]{6})$", badge)
    assert {key[:6] for key in keys} == set(badge.rpartition("studies ")[2].split(", "))
    assert "seeds 0, 1, 2 for 2 settings, seed 0 for 3 settings" in badge


def test_unlike_seeds_are_explained_where_perplexities_stand_beside_changes(store: Store) -> None:
    save(store, family((0, 1, 2))[:3])
    said = "so it need not be the quotient of two perplexities"
    assert not any(said in each.value for each in opened().caption)
    save(store, family()[1:4])
    assert any(said in each.value for each in opened().caption)


def test_a_correction_of_uniform_is_not_told_twice(store: Store) -> None:
    plain = AllocationRequest(target=0.7)
    fixed = plain.model_copy(update={"correction": Correction(strength=0.04)})
    results = study(families.combined([plain, fixed], "wanda", (0,)))
    shown = next(each for each in results.lines if each.strength)
    [said] = verdicts.sentences(results, results.slices[0], shown)
    assert said.startswith("The correction at strength 0.04")


def test_the_table_says_the_seeds_of_each_setting(store: Store) -> None:
    save(store, family((0, 2)))
    seeds = opened().dataframe[-1].value.set_index("setting")["calibration seeds"]
    assert seeds["OWL"] == "0, 2" and seeds["dense"] == ""


def test_what_measured_it_is_in_the_badges_help(store: Store) -> None:
    spec = synthetic.study_spec(PROFILE, family()[:1], LAYERS)
    for point in spec.points[:2]:
        told = {"versions": {"python": "3", "torch": "2.9", "transformers": "5.20"}}
        store.save(spec.evaluated(point), synthetic.evaluated(point, 24, LAYERS), told)
    synthetic.save_study(store.root, spec, LAYERS, PROFILE.key)
    assert {each.help for each in opened().caption if "**Protocol:**" in each.value} == {
        "Measured with torch 2.9, transformers 5.20."
    }
    assert "not noted" in stored.versions(studies.read(store, spec).points[2:])


# --- asking --------------------------------------------------------------------------------------------------------


def submitted(app: AppTest, store: Store) -> StudyRequest:
    """What Run queues."""
    app.button(key="run").click().run()
    assert not app.exception
    (job,) = jobs.jobs(store)
    assert app.query_params["job"] in (job.key, [job.key])
    return job.request


def test_the_cost_stands_before_the_run(store: Store) -> None:
    app = opened()
    told = next(each.value for each in app.markdown if "points**" in each.value)
    assert told.startswith("**3 points**, dense and uniform among them. 6 TFLOP, about 2 min (rough")
    assert not app.button(key="run").disabled


def test_run_queues_the_setting_in_view(store: Store) -> None:
    found = submitted(opened(), store)
    assert found == StudyRequest(
        model="demo",
        profile=PROFILE.key,
        calibration=WindowRequest(sequences=16, length=512),
        settings=(Setting(allocation=OWL),),
    )


def test_run_queues_what_was_chosen(store: Store, tmp_path: Path) -> None:
    text, tasks = f"file:{tmp_path / 'x.txt'}", str(tmp_path / "tasks")
    chosen = {
        "base": "dlp", "target": "0.6", "strength": "0.03", "control": "reversed", "by": "sparsegpt",
        "calibration": "allenai/c4", "calibration_documents": "0-9", "calibration_windows": "4",
        "calibration_length": "32", "seeds": "0,1", "sequential": "True", "text": text, "windows": "9",
        "length": "64", "tasks": "boolq, rte", "tasks_from": tasks, "examples": "50", "part": "evaluate",
    }  # fmt: skip
    found = submitted(opened(**chosen), store)
    base = written.method("dlp", 0.6)
    fix = Correction(strength=0.03, control="reversed")
    both = (base, base.model_copy(update={"correction": fix}))
    assert found.settings == families.combined(both, "sparsegpt", (0, 1), None, True)
    assert found.calibration == WindowRequest(source="allenai/c4", documents=(0, 9), sequences=4, length=32)
    assert found.evaluation == settings.EvaluationRequest(
        text=WindowRequest(source=text, sequences=9, length=64),
        tasks=("boolq", "rte"),
        tasks_from=tasks,
        examples=50,
    )


def test_run_queues_a_family(store: Store) -> None:
    app = opened(evaluate="family", controls="reversed,shuffled", shuffles="2", steps="3", part="evaluate")
    found = submitted(app, store)
    assert [naming.allocation(each.allocation) for each in found.settings] == [
        "OWL",
        "OWL, corrected 0.05", "OWL, reversed 0.05", "OWL, shuffled 0.05 (0)", "OWL, shuffled 0.05 (1)",
        "OWL, corrected 0.1", "OWL, reversed 0.1", "OWL, shuffled 0.1 (0)", "OWL, shuffled 0.1 (1)",
    ]  # fmt: skip


def test_run_queues_all_allocators(store: Store) -> None:
    found = submitted(opened(evaluate="methods", targets="0.5, 0.7", part="evaluate"), store)
    kinds = [(each.allocation.target, each.allocation.base.kind) for each in found.settings]
    assert kinds == [(target, kind) for target in (0.5, 0.7) for kind in families.METHODS]


def test_a_pattern_takes_the_place_of_the_allocation(store: Store) -> None:
    found = submitted(opened(pattern="2:4", strength="0.04", evaluate="family", part="evaluate"), store)
    assert found.settings == (Setting(allocation=AllocationRequest(target=0.5), pattern="2:4"),)


VIEWS = [
    {"base": "dlp", "strength": "0.03", "by": "sparsegpt", "calibration_windows": "7", "seeds": "0,1,2"},
    {"evaluate": "family", "greatest": "0.05", "steps": "4", "controls": "ramp", "driver": "skip"},
    {"evaluate": "methods", "targets": "0.55", "text": "Salesforce/wikitext", "windows": "64"},
    {"pattern": "4:8", "calibration_documents": "0-5", "tasks": "rte", "examples": "20"},
    {"hand": "3:0.55", "device": "cpu", "length": "128", "documents": "800-999"},
]


@pytest.mark.parametrize("chosen", VIEWS)
def test_the_url_restores_the_view(chosen: dict[str, str], store: Store) -> None:
    app = opened(**chosen, part="evaluate")
    assert not app.exception and not app.error
    kept = {key: str(app.session_state[key]) for key in chosen}
    assert kept == chosen
    request = submitted(app, store)
    for job in jobs.jobs(store):
        jobs.cancel(job)
        jobs.delete(jobs.job(store, job.key))
    again = opened(**{key: asked(app, key) for key in app.query_params if key != "job"})
    assert submitted(again, store) == request


def test_choices_survive_a_visit_to_another_page(store: Store) -> None:
    app = opened(windows="9", seeds="0,1")
    app.switch_page("runs.py").run()
    app.switch_page("prune.py").run()
    assert app.number_input(key="windows").value == 9
    assert app.text_input(key="seeds").value == "0,1"


def test_the_allocation_set_on_its_page_is_the_one_in_view(store: Store) -> None:
    app = shell().run().switch_page("allocate.py").run()
    app.selectbox(key="base").set_value("dlp").run()
    app.select_slider(key="target").set_value(0.6).run()
    app.switch_page("prune.py").run()
    assert any("Allocation in view: DLP**, 60% zeros" in each.value for each in app.markdown)
    app.switch_page("allocate.py").run()
    assert app.selectbox(key="base").value == "dlp"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("seeds", "one", "whole numbers"),
        ("documents", "599", "first-last"),
        ("calibration_documents", "599", "first-last"),
        ("targets", "high", "are not sparsities"),
        ("text", " ", "the text is empty"),
        ("high", "0.6", "lies outside the bounds"),
    ],
)
def test_bad_input_is_one_sentence_and_loses_nothing(store: Store, key: str, value: str, sentence: str) -> None:
    app = opened(part="evaluate", evaluate="methods", **{key: value})
    assert sentence in app.error[0].value and len(app.error) == 1
    assert not app.exception
    assert not [each for each in app.button if each.key == "run" and not each.disabled]
    assert str(app.session_state[key]) == value


@pytest.mark.parametrize(("key", "value"), [("seeds", "a,b"), ("calibration_documents", "599")])
def test_a_calibration_that_cannot_be_hides_nothing_of_the_form(store: Store, key: str, value: str) -> None:
    whole = opened(part="evaluate", evaluate="methods")
    app = opened(part="evaluate", evaluate="methods", **{key: value})
    (error,) = app.error
    assert value in error.value and "--" not in error.value
    assert {each.key for each in app.text_input} == {each.key for each in whole.text_input} > {"targets", "tasks"}
    assert app.button(key="run").disabled and not whole.button(key="run").disabled
    app.text_input(key=key).set_value("0" if key == "seeds" else "0-1").run()
    assert not app.error and not app.button(key="run").disabled


def test_an_allocator_that_is_not_possible_is_left_out_and_said(store: Store) -> None:
    quick = synthetic.profile_spec(4, 8, "quick", prunable=True)
    synthetic.save_profile(store.root, quick, 4, "shallow")
    app = opened(profile=quick.key, evaluate="methods", targets="0.7", part="evaluate")
    assert "Response is left out: this profile holds one sparsity" in app.warning[0].value
    assert not app.button(key="run").disabled


def test_what_is_evaluated_already_is_linked_not_run(store: Store) -> None:
    request = StudyRequest(profile=PROFILE.key, settings=(Setting(allocation=OWL),))
    fake.get(request, store)
    app = opened(part="evaluate")
    assert "evaluated already" in app.success[0].value
    assert not [each for each in app.button if each.key == "run"]


# --- to take along -------------------------------------------------------------------------------------------------


def command_options(line: str) -> dict[str, str]:
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "core", "prune"]
    return dict(zip(words[4::2], words[5::2], strict=True))


def test_the_command_says_the_setting(store: Store) -> None:
    app = opened(part="evaluate", strength="0.04", target="0.6", windows="9")
    options = command_options(app.code[0].value)
    asked = written.allocation(options["--allocation"])
    assert asked == written.method("owl", 0.6).model_copy(update={"correction": Correction(strength=0.04)})
    assert options.items() >= {"--windows": "9", "--profile": PROFILE.key, "--sequences": "16"}.items()


def test_two_lengths_have_no_command_but_a_file(store: Store) -> None:
    app = opened(part="evaluate", length="64")
    assert any("one length" in each.value for each in app.caption)
    assert app.code[0].value.startswith("python -m core study study.toml")


@pytest.mark.parametrize(
    "asked",
    [
        families.combined(families.alone(_corrected(0.04)), "sparsegpt", (0, 2), None, True),
        family((0, 1)),
        families.combined(
            [written.method(words, target) for target in (0.5, 0.6) for words in ("uniform", "dlp alpha=0.1 high=0.9")],
            "magnitude",
            (0,),
        ),
    ],
)
def test_the_study_file_reads_back_as_the_request(tmp_path: Path, asked: tuple[Setting, ...]) -> None:
    request = StudyRequest(
        profile="0123456789abcdef",
        calibration=WindowRequest(source="allenai/c4", documents=(0, 599), sequences=16, length=256),
        settings=asked,
        evaluation=settings.EvaluationRequest(
            text=WindowRequest(source="demo:evaluation", sequences=9, length=64), tasks=("rte",), examples=20
        ),
    )
    file = tmp_path / "study.toml"
    file.write_text(take.as_toml(request), encoding="utf-8")
    assert read_study(file) == request


def test_a_study_file_says_a_pattern_with_its_seeds(tmp_path: Path) -> None:
    request = StudyRequest(settings=families.combined([AllocationRequest(target=0.5)], "wanda", (0, 1), "2:4"))
    file = tmp_path / "study.toml"
    file.write_text(take.as_toml(request), encoding="utf-8")
    assert read_study(file) == request


def test_a_study_file_refuses_what_it_cannot_say() -> None:
    uneven = families.combined([OWL, written.method("dlp", 0.6)], "wanda", (0,))
    mixed = (*uneven[:1], *families.combined([AllocationRequest(target=0.5)], "wanda", (0,), "2:4"))
    for asked in (uneven, mixed):
        with pytest.raises(UserError, match="not every allocation"):
            take.as_toml(StudyRequest(settings=asked))


# --- watching and exporting ----------------------------------------------------------------------------------------


def part_way(store: Store) -> jobs.Job:
    """A study of which the first points are finished."""
    request = StudyRequest(profile=PROFILE.key, settings=family()[:4])
    job = jobs.submit(store, request)
    (store.root / "break").write_text("enough")
    with pytest.raises(ValueError, match="enough"):
        fake.get(request, store)
    spec = store.resolved(request)
    for point in spec.points[:3]:
        store.save(spec.evaluated(point), synthetic.evaluated(point, 24, LAYERS), {"broken": None})
    job.write(Status(state="running", line="OWL", done=3, total=6, seconds_left=95, parts=3))
    return job


def test_a_running_study_fills_its_chart(store: Store) -> None:
    job = part_way(store)
    with processes.take(job.lock):
        app = opened(job=job.key)
    assert not app.exception
    assert "50%, about 2 min left" in app.get("progress")[0].proto.text
    live = next(each for each in figures(app) if any(trace.get("name") == "Uniform" for trace in each["data"]))
    assert named(live, "OWL")
    assert any("3 of 6 points finished" in each.value and "**Protocol:**" in each.value for each in app.caption)
    [link] = app.sidebar.get("page_link")
    assert job.key in link.proto.query_string and "evaluation of" in link.proto.label


def test_a_finished_study_leads_to_its_results(store: Store) -> None:
    request = StudyRequest(profile=PROFILE.key, settings=family()[:4])
    job = jobs.submit(store, request)
    key = fake.get(request, store).key
    job.write(Status(state="done", result=key, started=1.0, updated=61.0))
    app = opened(job=job.key)
    assert "60 s" in app.success[0].value
    assert any(key in link.proto.query_string for link in app.get("page_link"))
    assert "On invented model" in verdict(app)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not in the cache."""
    return tmp_path_factory.mktemp("outside").resolve()


def test_export_is_honest_and_refuses_before_it_runs(store: Store, outside: Path) -> None:
    app = opened(part="export")
    said = " ".join(each.value for each in app.markdown)
    assert "neither the file smaller nor a run faster" in said
    assert any("2:4" in each.value for each in app.caption)
    assert app.button(key="export").disabled
    full = outside / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    app.text_input(key="export-folder").set_value(str(full)).run()
    assert "holds files that no export wrote" in app.error[0].value
    assert app.button(key="export").disabled


@pytest.fixture
def located(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose shape is known though none is here."""
    shape = Outline(layers=LAYERS, width=64, vocabulary=1000, layer_parameters=50_000, parameters=400_000)
    source = Source("a model", Path("nowhere"), None, "a model", None)
    for module in (costing, target):
        monkeypatch.setattr(module, "locate", lambda *_, **__: source)
        monkeypatch.setattr(module, "outlined", lambda *_: shape)


def test_an_export_onto_the_model_itself_is_refused_before_it_runs(
    store: Store, located: None, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "locate", lambda *_, **__: Source("its own", outside, None, "its own", None))
    app = opened(part="export")
    app.text_input(key="export-folder").set_value(str(outside)).run()
    assert "holds the model that is pruned" in app.error[0].value
    assert app.button(key="export").disabled


@pytest.mark.parametrize("part", ["export", "writing"])
def test_what_pruning_once_costs_stands_before_it_runs(store: Store, located: None, part: str) -> None:
    app = opened(part=part)
    [told] = [each.value for each in app.markdown if each.value.startswith("**Pruning it once:**")]
    assert re.search(r"TFLOP, about \d+ s \(rough.*\), 1 GiB of memory, 6 parts\.$", told)
    assert not app.error and not app.exception


def test_pruning_once_costs_what_the_calibration_asks(store: Store, located: None) -> None:
    told = [
        next(each.value for each in opened(part="export", **more).markdown if "Pruning it once" in each.value)
        for more in ({}, {"calibration_windows": "160"})
    ]
    one, ten = (float(each.split()[3]) for each in told)
    assert 7 < ten / one < 10, "one batch is recorded whatever the amount"


def test_a_model_that_is_not_here_has_no_cost_yet(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "of_study", lambda *_: None)
    assert any("not known until the model is here" in each.value for each in opened(part="export").markdown)


def test_numbers_of_another_calibration_are_not_the_exports(store: Store, located: None, outside: Path) -> None:
    key = save(store, family())
    app = opened(part="export")
    assert any(f"Study {key} measured this setting with another calibration" in each.value for each in app.caption)
    app.text_input(key="export-folder").set_value(str(outside / "pruned")).run()
    app.button(key="export").click().run()
    (job,) = jobs.jobs(store)
    assert job.request.study is None
    assert any("No study holds" in each.value for each in opened(part="export", target="0.55").caption)


def test_a_study_whose_request_is_known_is_matched_by_it(store: Store) -> None:
    settings_ = (Setting(allocation=OWL),)
    profile = load(store, store.profile(PROFILE.key))
    keys = {}
    for documents in ((0, 9), (10, 19)):
        spec = synthetic.study_spec(PROFILE, settings_, LAYERS, text=f"text {documents}")
        window = WindowRequest(source="allenai/c4", documents=documents, sequences=16, length=synthetic.LENGTH)
        request = StudyRequest(profile=PROFILE.key, settings=settings_, calibration=window)
        store.save(spec, None, {"profile": PROFILE.key, "request": request.model_dump(mode="json")})
        keys[synthetic.save_study(store.root, spec, LAYERS, PROFILE.key)] = window
    for key, window in keys.items():
        how = Pruning("demo", None, "float32", PROFILE.key, OWL, "wanda", None, False, (0,), window, "cpu")
        assert exporting.measuring(profile, how, next(iter(keys))) == key
        assert exporting.measuring(profile, replace(how, seeds=(1,))) is None
        assert exporting.measuring(profile, replace(how, dtype="bfloat16")) is None


def test_export_submits_the_setting_with_its_study(store: Store, located: None, outside: Path) -> None:
    key = save(store, family())
    app = opened(part="export", calibration_length=str(synthetic.LENGTH))
    app.text_input(key="export-folder").set_value(str(outside / "pruned")).run()
    app.button(key="export").click().run()
    (job,) = jobs.jobs(store)
    assert job.request == ExportRequest(
        profile=PROFILE.key,
        calibration=WindowRequest(sequences=16, length=synthetic.LENGTH),
        setting=Setting(allocation=OWL),
        folder=str(outside / "pruned"),
        study=key,
    )
    assert not app.exception


def test_a_finished_export_tells_its_bytes(store: Store, tmp_path: Path) -> None:
    setting = Setting(allocation=OWL)
    request = ExportRequest(setting=setting, folder=str(tmp_path / "pruned"))
    job = jobs.submit(store, request)
    pruned = synthetic.study_spec(PROFILE, [setting], LAYERS).points[-1].pruned
    told = {"folder": request.folder, "bytes": 1_000_400, "dense_bytes": 1_000_000, "difference": 0.0}
    spec = settings.ExportSpec(model=PROFILE.model, pruned=pruned, folder=request.folder)
    store.save(spec, None, told | {"setting": setting.name})
    job.write(Status(state="done", result=spec.key, started=1.0, updated=61.0))
    app = opened(job=job.key, part="export")
    assert not app.exception
    assert any("reloaded and compared" in each.value for each in app.markdown)
    assert sum("1,000,400 bytes, 100.0% of the dense model's 1,000,000" in each.value for each in app.caption) == 2


# --- the frame -----------------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_pruned_gets_one_sentence(filled_cache: dict[str, str]) -> None:
    app = opened(profile=filled_cache["deep"])
    assert "not allocated for" in app.error[0].value and not app.exception


def test_the_profile_is_read_without_a_model(store: Store) -> None:
    assert load(store, store.profile(PROFILE.key)).layers == LAYERS


def test_no_heavy_library_is_loaded() -> None:
    opened_ = "AppTest.from_file('pages/shell.py', default_timeout=30).run().switch_page('prune.py').run()"
    done = loads(f"from streamlit.testing.v1 import AppTest\nassert not {opened_}.exception")
    assert done.returncode == 0, done.stderr[-500:]


def test_unclipped_numbers_are_not_taken_over_and_the_page_says_so(store: Store) -> None:
    app = opened(base="alphapruning", unclipped="True")
    assert any("for comparison" in each.value for each in app.error)
    assert not app.exception


def test_what_both_models_wrote_stands_side_by_side(store: Store) -> None:
    spec = settings.WritingSpec(
        model=PROFILE.model,
        pruned=settings.PrunedSpec(pruner="wanda", sparsity=(0.5,) * LAYERS, calibration=None),
        prompt="Once",
        tokens=8,
    )
    told = {"setting": "uniform, 50%, wanda", "prompt": "Once", "dense": "upon a time", "pruned": "*the* the <b>"}
    store.save(spec, None, told)
    app = opened(part="writing", prompt="Once more")
    assert not app.exception
    assert {"upon a time", "*the* the <b>"} <= {each.value for each in app.text}, "as plain text"
    app.button(key="write").click().run()
    [job] = jobs.jobs(store)
    assert (job.request.prompt, job.request.tokens) == ("Once more", 48)
    assert job.request.setting.allocation.base.kind == "owl"


def test_nothing_is_written_after_no_words(store: Store) -> None:
    app = opened(part="writing")
    app.text_area(key="prompt").set_value("  ").run()
    assert any("prompt is empty" in each.value for each in app.error)
    assert app.button(key="write").disabled
