"""Evidence: every question has a chart, a table that the README shows too, and the line that measures it again."""

import numpy as np

from core.show.report import claims, questions


def test_what_surprises_is_so():
    """The sentences beside the numbers say what the committed numbers say."""
    found = {key: claims.answers(each) for key, each in claims.CLAIMS.items()}
    repaired = [each.tested.rows["later layers"] for each in found["repair"].values()]
    assert repaired[0].low > repaired[1].high > 0
    ours, theirs = (each.tested.rows["mean layer"] for each in found["small"].values())
    assert ours.high < 1 < theirs.low
    smol = found["suffering"]["SmolLM2"].tested, found["sparing"]["SmolLM2"].tested
    assert [each.verdict for each in smol] == ["holds", "does not hold"]


def test_fewer_bits_where_they_hurt_least_beat_uniform_bits_in_a_second_family_too():
    rows = questions.answer("second family's bits").at(3.6)
    kl = {row.called.removesuffix(", int3g32, integers"): row.one.mean("kl") for row in rows}
    controls = kl["Response per linear, shuffled (0)"], kl["Response per linear, reversed"]
    assert kl["Response per linear"] < 0.7 * kl["Uniform"] < kl["Uniform"] < min(controls)


def test_own_text_wins_back_a_good_part_and_less_than_the_calibration_text_does():
    asked = questions.answer("own text")
    start, calibrated, own = (row.one.perplexity for row in asked.table.rows)
    assert 0.8 < np.log(start / own) / np.log(start / calibrated) < 0.9
    [behind] = filter(None, asked.table.values["against the same on calibration text"])
    assert behind.windows.low > 0
