"""The prune page's results: every number under its protocol, unlike protocols and samples apart, gaps said."""

import json
import re

import pytest

from core.base.escape import escape_markdown
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.recipes import Recipe
from core.requests.studies import TaskSpec
from core.results import candidates, protocols
from core.results.study_results import shared_tasks
from core.show.figures import perplexity
from core.show.words import perplexity_sentences
from core.store.profiles import load
from pages.ui import studies
from pages.ui.prune.results import HEADLINE
from tests import synthetic
from tests.pages.opening import badges, figures, link, url, words
from tests.pages.prune_page import LAYERS, OWL, PROFILE, family, opened, owl_corrected, save, verdict

# --- results -------------------------------------------------------------------------------------------------------


def test_every_part_is_shown_under_its_protocol(store):
    save(store, family((0, 1, 2)), tasks=("boolq", "rte"))
    app = opened(strength="0.04")
    assert not app.error
    titles = ["Perplexity against target sparsity", "Change of perplexity against uniform", "Details"]
    assert [each.value for each in app.header] == titles
    assert len(badges(app)) == 1, "one protocol line a page"
    assert "24 × 512 tokens" in badges(app)[0] and "seeds 0, 1, 2" in badges(app)[0]
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    said = words(app.caption)
    assert HEADLINE in said


@pytest.mark.parametrize(
    ("shift", "windows", "arrow"), [(-0.4, 24, "DOWN"), (0.4, 24, "UP"), (0.0, 24, "NONE"), (0.4, 4, "UP")]
)
def test_the_answer_is_the_perplexity_with_its_change_and_the_interval_of_that(store, shift, windows, arrow):
    """An arrow only where the change is certain."""
    owl = candidates.combined([OWL], "wanda", (0, 1, 2))
    save(store, owl, lambda setting: 3 + shift * (setting.allocation.base.kind == "owl"), windows)
    app = opened()
    [group] = grouped(store)
    [shown], one = app.metric, group.of(owl[0])
    assert shown.value == one.written and shown.label == "Perplexity of OWL, 70 % zeros, Wanda"
    size, told = shown.delta.removesuffix(" % against uniform"), shown.proto.delta_description
    assert float(size) == pytest.approx(one.against_uniform.quoted.value, abs=0.5)
    assert told.startswith("95 % interval ") and told.endswith(" over 3 calibration seeds")
    assert shown.proto.MetricDirection.Name(shown.proto.direction) == arrow


def test_the_verdict_is_that_of_the_setting_in_view(store):
    asked = family()
    save(store, asked)
    [group] = grouped(store)
    shown = next(each for each in asked if each.allocation == owl_corrected(0.04))
    opened(strength="0.04", detail="correction")
    said = verdict(opened(strength="0.04"))
    assert all(
        escape_markdown(each) in said
        for each in perplexity_sentences.sentences(group, group.slices[0], group.of(shown))
    )


def test_a_setting_in_view_is_told_from_what_was_measured_under_its_name(store):
    asked = [grammar.method(words, target) for words, target in (("owl m=7 lam=0.2", 0.7), ("owl", 0.6))]
    save(store, candidates.combined(asked, "wanda", (0,)))
    app = opened(m="5.5")
    assert "**Setting in view:** OWL, m 5.5, 70 % zeros, Wanda" in [each.value for each in app.markdown]
    said = "Your setting (OWL, m 5.5, 70 % zeros, Wanda) has not been evaluated here."
    assert said in words(app.info)
    assert "OWL, m 7, lam 0.2, 70 % zeros, Wanda" in app.metric[0].label
    assert not opened(m="7.0", lam="0.2").info


def test_too_few_windows_tell_nothing(store):
    save(store, family(), windows=4)
    app = opened()
    assert re.findall(r"\d+", app.warning[0].value) == ["4", "8"]
    assert "n = 4" in verdict(app) and not re.search(r"\b(lowers|raises)\b", verdict(app))
    assert not re.search(r"lowest|\d of \d", words(app.markdown))


def test_unlike_protocols_are_never_on_one_axis(store):
    first = save(store, family()[:2], text="one text")
    second = save(store, family()[:2], lambda setting: 9.0, text="another text")
    app = opened(study=first)
    picker = app.radio(key="study")
    assert len(picker.options) == 2
    [line] = badges(app)
    assert "one text" in line and f"studies {first[:6]}" in line, "the choice is the one protocol line"
    drawn = json.dumps(figures(app)[1])
    app = picker.set_value(second).run()
    [line] = badges(app)
    assert "another text" in line
    assert json.dumps(figures(app)[1]) != drawn


def grouped(store):
    """The profile's studies, those of one protocol together."""
    return studies.groups(load(store, store.profile(PROFILE.key)))


def drawn(group):
    """Names of the curves of perplexity against target."""
    return set(perplexity.of_evaluations(group, None).table["method"])


def recalibrated(store, asked, windows, profile=PROFILE.key):
    """A study calibrated on so many windows."""
    spec = synthetic.study_spec(PROFILE, asked, LAYERS)

    def amount(point):
        if point.pruned is None or point.pruned.calibration is None:
            return point
        used = point.pruned.calibration.model_copy(update={"windows": point.pruned.calibration.windows[:windows]})
        return point.model_copy(update={"pruned": point.pruned.model_copy(update={"calibration": used})})

    spec = spec.model_copy(update={"points": tuple(map(amount, spec.points))})
    return synthetic.save_study(store.root, spec, LAYERS, profile)


def test_other_calibrations_stay_apart_and_magnitude_stands_beside_each(store):
    wanda, magnitude = (candidates.combined(candidates.alone(OWL), each, (0,)) for each in ("wanda", "magnitude"))
    few, many = recalibrated(store, wanda, 4), recalibrated(store, wanda[:1], 8)
    free = recalibrated(store, magnitude, 16)
    found = {each.entries[-1].key: each for each in grouped(store)}
    assert set(found) == {few, many, free}
    beside = {key: protocols.with_comparable(found[key], tuple(found.values())) for key in (few, many)}
    assert all("magnitude" in " ".join(drawn(each)) for each in beside.values())
    for key, amount in ((few, "4 × 64"), (many, "8 × 64")):
        assert f", {amount} · " in protocols.badge(found[key])
    assert opened(study=few, by="magnitude").session_state["study"] == few


def test_what_another_profile_measured_alike_is_shown_but_is_not_the_setting_in_view(store):
    uniform = candidates.combined([AllocationRequest(target=0.7)], "wanda", (0,))
    mine = recalibrated(store, uniform, 16)
    another = recalibrated(store, candidates.combined([grammar.method("owl", 0.7)], "wanda", (0,)), 16, "another")
    app = opened(study=mine, detail="all")
    assert "OWL" in set(app.dataframe[-1].value["allocation"])
    other = "Your setting (OWL, 70 % zeros, Wanda) has not been evaluated with this profile."
    assert other in words(app.info)
    assert "profiles " in badges(app)[0]
    assert other in words(opened(study=another).info)
    assert not opened(study=another, base="uniform").info


@pytest.mark.parametrize(
    ("asked", "told"), [(None, "Evaluate"), ((), "Evaluate"), ((Recipe(allocation=AllocationRequest()),), "uniform")]
)
def test_too_little_to_compare_says_what_to_do(store, asked, told):
    if asked is not None:
        save(store, asked)
    app = opened(part="results", detail="correction")
    assert told in words(app.info)
    assert ("family" in words(app.info)) == bool(asked)


# --- zero-shot -----------------------------------------------------------------------------------------------------


def sampled(store, asked, examples):
    """A study with a sample of one task."""
    task = TaskSpec(name="boolq", content="boolq", examples=examples, seed=0)
    spec = synthetic.study_spec(PROFILE, asked, LAYERS).model_copy(update={"tasks": (task,)})
    for point in spec.points:
        for unit in spec.zero_shot(point):
            store.save(unit, synthetic.answered(point, "boolq", examples), {})
    synthetic.save_study(store.root, spec, LAYERS, PROFILE.key)


def test_answers_to_other_examples_are_never_on_one_axis(store):
    sampled(store, family()[:2], 20)
    sampled(store, family()[:3], 40)
    app = opened(detail="tasks")
    assert " 20 examples of boolq" in badges(app)[0] and "40 examples of boolq" in badges(app)[0]
    [group] = grouped(store)
    part = group.slices[0]
    assert list(group.tasks.values()) == ["boolq (20 examples)", "boolq (40 examples)"]
    table = app.dataframe[-1].value.set_index("allocation")
    few, many = (set(table[name].dropna().index) for name in group.tasks.values())
    assert len(many - few) == 1 and few < many and "dense" in few
    rows = [group.dense, *group.within(part)]
    assert [group.tasks[task] for task in shared_tasks(group.tasks, rows)] == ["boolq (40 examples)"]  # no task twice
    owl = next(each for each in group.settings if each.name == "OWL")
    assert [len(owl.answers(task)) for task in group.tasks] == [20, 40]
    assert set(group.tasks.values()) <= set(opened(detail="all").dataframe[-1].value.columns)
    again = protocols.merged([group])
    assert [each.tasks for each in again.points] == [each.tasks for each in group.points]


# --- what was evaluated elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "lacking"),
    [("correction", "No correction has been evaluated"), ("tasks", "No zero-shot task has been run")],
)
def test_what_another_protocol_has_is_named_and_linked(store, detail, lacking):
    other = save(store, family(), tasks=("rte",), text="another text")
    here = save(store, candidates.combined([grammar.method(name, 0.6) for name in ("owl", "dlp")], "wanda", (0,)))
    app = opened(study=here, within="60 % zeros, Wanda", detail=detail, base="dlp", target="0.6")
    [said] = [each.value for each in app.info]
    assert said.startswith(f"{lacking} at 60 % zeros, Wanda.")
    assert "There are results at 70 % zeros, Wanda (another text 24 × 512, calibrated on " in said
    app.query_params.update(link(app, "Open those results"))
    app.run()
    assert url(app)["study"] == other
    assert "No " not in words(app.info)
