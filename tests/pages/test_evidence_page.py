"""Evidence: every question has a chart, a table that the README shows too, and the line that measures it again."""

import csv
import io
import json

import numpy as np
import pytest

from core.show.figures import evaluation
from core.show.report import claims, questions
from core.show.report.benches import BENCHES
from tests.pages.opening import badges, opened_at


@pytest.mark.parametrize("name", [*questions.QUESTIONS, *BENCHES])
def test_a_question_is_answered_by_its_link(name, committed):
    app = opened_at("evidence", question=name)
    asked = (questions.QUESTIONS | BENCHES)[name]
    assert [each.value for each in app.header] == [asked.title]
    assert [each.value for each in app.code] == [asked.command]
    assert len(app.get("plotly_chart")) == (name != "families") and app.dataframe
    assert len(app.metric) == len(badges(app)) == (name in questions.QUESTIONS)


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_no_change_is_cut_off_in_its_column(name, committed):
    """A character of the font takes less than 6 px, and a cell 8 px on either side."""
    [*_, table] = opened_at("evidence", question=name).dataframe
    columns = {head: each["width"] for head, each in json.loads(table.proto.columns).items() if "against" in head}
    assert columns and all(6 * table.value[head].str.len().max() + 16 <= wide for head, wide in columns.items())


@pytest.mark.parametrize(("name", "label", "levels"), [
    ("bits", "Bits a weight", ["2.3", "2.6", "3.6"]), ("repair", "Zeros", ["50 %", "60 %", "70 %", "80 %"]),
    ("layers", "Layers left out", ["10 %", "20 %"]),
])  # fmt: skip
def test_targets_are_written_as_what_is_counted(name, label, levels, committed):
    [switch] = opened_at("evidence", question=name).get("button_group")
    assert switch.label == label and list(switch.options) == levels


def test_the_page_opens_with_the_verdicts_on_claims_of_the_literature(committed):
    """A row for each claim, what surprised, a chart and its commands below."""
    app = opened_at("evidence")
    assert [each.value for each in app.header] == [claims.TITLE, *(each.title for each in claims.CLAIMS.values())]
    overview = app.markdown[0].value
    assert all(f"{word}]" in overview for each in claims.CLAIMS.values() for word in each.verdicts)
    assert len(app.get("plotly_chart")) == len(claims.CLAIMS)
    commands = [each.value for each in app.code]
    measured = [each for claim in claims.CLAIMS.values() for each in claims.answers(claim).values() if each]
    assert commands == [each.command for each in measured] and len(measured) == 11
    text = " ".join(each.value for each in app.markdown)
    assert all(claims.with_numbers(each).partition("[")[0] in text for each in claims.SURPRISES)


@pytest.mark.parametrize("page", ["lab", "absorption"])
def test_the_claims_are_linked(page):
    app = opened_at(page)
    assert any(each.label.startswith(claims.TITLE) for each in app.get("page_link"))


def test_what_surprises_is_so():
    """The sentences beside the numbers say what the committed numbers say."""
    found = {key: claims.answers(each) for key, each in claims.CLAIMS.items()}
    repaired = [each.tested.rows["later layers"] for each in found["repair"].values()]
    assert repaired[0].low > repaired[1].high > 0
    ours, theirs = (each.tested.rows["mean layer"] for each in found["small"].values())
    assert ours.high < 1 < theirs.low
    smol = found["suffering"]["SmolLM2"].tested, found["sparing"]["SmolLM2"].tested
    assert [each.verdict for each in smol] == ["holds", "does not hold"]


def test_the_table_of_a_question_has_an_interval_and_its_csv_every_number():
    found = questions.answer("correction")
    rows = list(csv.DictReader(io.StringIO(found.table.csv)))
    assert len(rows) == len(found.table.rows) and {"perplexity", "calibration seeds", "study"} <= rows[0].keys()
    assert any("[" in cell for row in found.table.read.texts for cell in row)
    assert found.targets == [0.7] and "windows" not in questions.chart(found, 0.7).finding


def test_fewer_bits_where_they_hurt_least_beat_uniform_bits_and_their_controls_do_not():
    found = questions.answer("bits")
    rows = zip(found.table.numbers["written"], found.table.numbers["against uniform bits, KL, %"], strict=True)
    changes = {name: value for name, value in rows if value is not None}
    for counted in ("bits by=quantised:3", "integers by=integers:int3g32"):
        mine = {name: value for name, value in changes.items() if counted in name}
        [response] = (name for name in mine if f"granularity=linear currency={counted}" in name)
        assert mine[response] == min(mine.values()) < 0
    controls = {name: value for name, value in changes.items() if "control=" in name}
    assert all(value > 0 for name, value in controls.items() if "currency=bits" in name)
    assert len(controls) == 4 and min(controls.values()) > changes[response] + 25
    assert "dequantised from 4 bits" in found.sentences[-1]
    assert questions.committed()["repaired"].spec.calibration is not None


def test_zeros_with_bits_beat_either_alone_below_three_bits_and_add_nothing_there():
    found = questions.answer("bits")
    sizes = (2.3, "2.28 bits", "int2g64", "int3g64z68"), (2.6, "2.56 bits", "int2g32", "int3g64z58")
    for at, bits, integers, mixed in sizes:
        kl = {row.called.removesuffix(", zeros and integers"): row.one.kl for row in found.at(at)}
        [zeros] = (value for name, value in kl.items() if name.endswith("zeros, Wanda"))
        both, linear = (kl[f"Response per {unit}, {bits}"] for unit in ("linear or layer", "linear"))
        assert both < linear < kl[f"Uniform, {mixed}"] < kl[f"Uniform, {integers}, integers"] < zeros
    kl = {row.called: row.one.kl for row in found.at(3.6)}
    assert kl["Uniform, int4g64z43, zeros and integers"] > kl["Uniform, int3g32, integers"]
    together = kl["Response per linear, 3.59 bits, zeros and integers"]
    assert together == pytest.approx(kl["Response per linear, int3g32, integers"], rel=0.01)


def test_fewer_bits_where_they_hurt_least_beat_uniform_bits_in_a_second_family_too():
    rows = questions.answer("second family's bits").at(3.6)
    kl = {row.called.removesuffix(", int3g32, integers"): row.one.kl for row in rows}
    controls = kl["Response per linear, shuffled (0)"], kl["Response per linear, reversed"]
    assert kl["Response per linear"] < 0.7 * kl["Uniform"] < kl["Uniform"] < min(controls)


def test_training_wins_after_either_allocation_which_still_matters():
    answer = questions.answer("training")
    found, dense = answer.table, answer.study.dense.perplexity
    won, spread = (found.numbers[f"against {name}, %"] for name in ("the same without training", "uniform"))
    for change, row in zip(won, found.rows, strict=True):  # each beside what it starts from
        asked = row.one.setting
        least = -5 if row.one.target > 0.5 else -4  # by blockwise, where less is lost
        lowered = -10 if asked.distills else least if asked.untrained else -2
        assert change < lowered if asked.untrained or asked.pruner_windows > 64 else change is None
    per_linear = [row.called.startswith("Response per linear") for row in found.rows]
    assert [each is not None and each < -2 for each in spread] == per_linear and {*spread} != {None}
    settings = {row.one.setting: row.one.perplexity for row in found.rows}
    best = {each: found for each, found in settings.items() if each.distills and each.pruner == "alps"}
    of = {(each.allocation.target, each.pattern): found for each, found in best.items()}
    assert of[0.5, None] < 40 and of[0.6, None] < 48 and of[0.7, None] < 60 and of[0.8, None] < 110
    [again] = (row.one for row in found.rows if row.one.perplexity == of[0.7, None])
    assert again.seeds == (0, 1, 2) and again.perplexities.max() < 60  # whichever windows calibrate
    [start] = (found for each, found in settings.items() if each.pruner == "sparsegpt")
    assert of[0.5, "2:4"] ** 2 < start * dense  # half of the gap in log perplexity is closed


@pytest.mark.parametrize("target", [0.6, 0.7])
def test_training_wins_in_a_second_family_too_where_the_allocation_matters_less_after_it(target):
    rows = [row.one for row in questions.answer("second family's training").at(target)]
    of = {(one.setting.distills, one.setting.allocation.base.kind): one.perplexity for one in rows}
    spread = {trained: of[trained, "uniform"] / of[trained, "response"] for trained in (False, True)}
    assert 1.02 < spread[True] < spread[False]
    assert all(of[True, base] < 0.85 * of[False, base] for base in ("uniform", "response"))


def test_after_training_the_mask_still_matters_and_the_allocation_more_after_the_worse_mask():
    rows = [row.one for row in questions.answer("training").table.rows if row.one.target == 0.7]
    trained = [one for one in rows if one.setting.distills]
    of = {(one.setting.pruner, one.setting.allocation.base.kind): one.perplexity for one in trained}
    mask = {base: of["wanda", base] / of["alps", base] for base in ("uniform", "response")}
    spread = {pruner: of[pruner, "uniform"] / of[pruner, "response"] for pruner in ("wanda", "alps")}
    assert 1.1 < mask["response"] < mask["uniform"] and 1.05 < spread["alps"] < spread["wanda"]


@pytest.mark.parametrize("target", [0.5, 0.6, 0.7, 0.8])
def test_blockwise_wins_back_a_third_to_half_of_what_distill_does_after_either_allocation(target):
    rows = [row.one for row in questions.answer("training").table.rows if row.one.target == target]
    asked = [(one.setting, one) for one in rows if one.setting.pruner == "alps" and not one.setting.pattern]
    of = {(setting.repair, setting.allocation.base.kind): np.log(one.perplexity)
          for setting, one in asked if setting.pruner_windows == 64}  # fmt: skip
    [seeds] = {one.seeds for setting, one in asked if setting.repair == "refit_dense+blockwise"}
    assert target != 0.7 or seeds == (0, 1, 2)  # whichever windows calibrate
    for base in ("uniform", "response"):
        refit, blockwise, whole = (of[f"refit_dense{more}", base] for more in ("", "+blockwise", "+distill"))
        assert 0.3 < (refit - blockwise) / (refit - whole) < 0.6


def test_as_long_a_time_on_more_calibration_text_wins_back_a_tenth_of_what_distill_does():
    of = {(one.setting.distills, one.setting.pruner_windows, one.setting.allocation.base.kind): np.log(one.perplexity)
          for one in (row.one for row in questions.answer("training").at(0.7))
          if one.setting.repair in ("refit_dense", "refit_dense+distill")}  # fmt: skip
    for base in ("uniform", "response"):
        start, more, trained = of[False, 64, base], of[False, 256, base], of[True, 64, base]
        assert 0.05 < (start - more) / (start - trained) < 0.15


def test_own_text_wins_back_a_good_part_and_less_than_the_calibration_text_does():
    asked = questions.answer("own text")
    start, calibrated, own = (row.one.perplexity for row in asked.table.rows)
    assert 0.8 < np.log(start / own) / np.log(start / calibrated) < 0.9
    [behind] = filter(None, asked.table.values["against the same on calibration text"])
    assert behind.windows.low > 0


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_a_chart_names_its_rows_by_what_tells_them_apart_not_by_the_target_they_share(name):
    answer = questions.answer(name)
    for target in answer.targets:
        figure = questions.chart(answer, target).figure
        labels, written = figure.data[0].y, figure.layout.yaxis.ticktext
        assert len({*labels}) == len(labels) == len(written) and not any("% zeros" in each for each in labels)
        room = (figure.layout.height - evaluation.ABOVE - evaluation.BOTTOM) / len(labels)
        assert all(len(lines) <= 5 and 15 * len(lines) < room for lines in (each.split("<br>") for each in written))


def test_benches_are_read_as_they_were_written():
    found = BENCHES["families"].table("families")
    assert set(found.iloc[:, 1:].to_numpy().ravel()) == {"yes", "no"}


def test_a_bench_says_its_lowest_and_its_highest_and_not_every_row():
    found = BENCHES["pruners"]
    table = found.table("pruners").dropna(subset=[found.bars])
    said = found.chart("pruners").finding
    for which in (table[found.bars].idxmin(), table[found.bars].idxmax()):
        assert f"({table.iloc[:, 0][which]})" in said
    assert sum(f"({name})" in said for name in table.iloc[:, 0]) == 2 < len(table)
