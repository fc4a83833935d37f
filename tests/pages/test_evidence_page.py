"""Evidence: every question has a chart, a table that the README shows too, and the line that measures it again."""

from core.show.report import claims


def test_what_surprises_is_so():
    """The sentences beside the numbers say what the committed numbers say."""
    found = {key: claims.answers(each) for key, each in claims.CLAIMS.items()}
    repaired = [each.tested.rows["later layers"] for each in found["repair"].values()]
    assert repaired[0].low > repaired[1].high > 0
    ours, theirs = (each.tested.rows["mean layer"] for each in found["small"].values())
    assert ours.high < 1 < theirs.low
    smol = found["suffering"]["SmolLM2"].tested, found["sparing"]["SmolLM2"].tested
    assert [each.verdict for each in smol] == ["holds", "does not hold"]
