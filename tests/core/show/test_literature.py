"""Claims in words: the verdict first, then each number with its interval."""

import pytest

from core.base import Estimate
from core.results.comparison import FAILS, Outcome
from core.show.report.claims import CLAIMS, SURPRISES, with_numbers
from core.show.words.gain_sentences import FACTOR, RANK, SHARE, value

FOUND = Outcome(FAILS, {"mean layer": Estimate(0.664, 0.650, 0.683, 16)}, {})


@pytest.mark.parametrize(
    ("unit", "said"), [(FACTOR, "0.66× [0.65, 0.68]"), (RANK, "0.66 [0.65, 0.68]"), (SHARE, "66 % [65, 68]")]
)
def test_a_number_stands_with_its_interval_in_its_unit(unit, said):
    assert value(Estimate(0.664, 0.65, 0.68, 16), unit) == said


def test_a_sentence_says_the_verdict_first_and_how_many_sequences():
    claim = CLAIMS["small"]._replace(says="the gain is {mean layer}")
    assert claim.sentence(FOUND) == "does not hold. The gain is 0.66× [0.65, 0.68] (n = 16)"
    assert claim.sentence(None) == "not measured"


def test_every_sentence_finds_its_numbers():
    for claim in CLAIMS.values():
        assert len(claim.sentences) == len(claim.verdicts) == 2
        assert all(word in said for word, said in zip(claim.verdicts, claim.sentences, strict=True))
    assert all("{" not in with_numbers(each) and "[" in with_numbers(each) for each in SURPRISES)
