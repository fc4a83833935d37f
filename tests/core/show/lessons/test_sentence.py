"""What the lab says and shows of one sentence, on invented answers."""

import math

import pytest

from core.requests import question
from core.show.lessons import sentence
from core.store import SceneRow

NOISE = question("A b c", "gaussian:0.5")
EVERYWHERE = question("A b c", "gaussian:0.5", first=True)


def row(layer, *drift, gain=None, flips=0):
    """A row of three tokens whose drift is given layer by layer."""
    words = ((("x", 1.0),),) * 3
    return SceneRow(
        tokens=("A", " b", "c"),
        norms=((9.0, 1.0, 1.0),) * len(drift),
        dense=words,
        seconds=0.1,
        layer=layer,
        drift=drift,
        gain=gain,
        perturbed=words,
        flipped=tuple(at < flips for at in range(3)),
        kl=(0.0, 0.0, 0.0),
    )


SPARED = row(1, None, (0, 0.5, 0.5), (0, 0.25, 1.0), (0, 0.2, 0.2), gain=0.4, flips=1)


def test_drift_is_told_against_where_it_entered():
    hit = sentence.hit(NOISE, SPARED)
    assert hit.ratio[:, 1:].ravel().tolist() == pytest.approx([1, 1, 0.5, 2, 0.4, 0.4])
    assert all(math.isnan(each) for each in hit.ratio[:, 0]), "nothing arrived at the first token"
    assert hit.mean.tolist() == pytest.approx([1, 1, 0.4])
    assert hit.mean[-1] == pytest.approx(SPARED.gain)


def test_a_token_that_was_not_hit_is_compared_with_those_that_were():
    one = row(0, (0, 0.2, 0), (0, 0.4, 0.1), gain=2.0)
    hit = sentence.hit(question("A b c", "gaussian:0.2", token=1), one)
    assert hit.ratio[1].tolist() == pytest.approx([math.nan, 2, 0.5], nan_ok=True)
    assert hit.entered.tolist() == pytest.approx([0.2, 0.2, 0.2])


@pytest.mark.parametrize(
    ("asked", "shown", "twin", "said"),
    [
        (
            NOISE,
            SPARED,
            None,
            "Later layers **absorb** the noise: it enters after layer 1 and ends at **0.40×** its size. "
            "**1 of 3** predicted next words change. The median layer ends at 0.80×.",
        ),
        (
            EVERYWHERE,
            row(0, (0.5, 0.5, 0.5), (1, 1, 1), gain=2.0, flips=3),
            row(0, (0, 0.5, 0.5), (0, 0.5, 0.5), gain=1.0, flips=2),
            "Later layers **amplify** the noise: it enters after layer 0 and ends at **2.00×** its size. "
            "**3 of 3** predicted next words change. Without the first token: **1.00×** and **2 of 3**.",
        ),
        (
            question("A b c", "skip"),
            row(0, (0.2, 0.2, 0.2), (0.2, 0.2, 0.2), gain=1 / 1.049),
            None,
            "Later layers leave the damage **about as large**: leaving layer 0 out moves the stream by 20 %, and that "
            "ends at **0.95×** its size. **0 of 3** predicted next words change. The median layer ends at 0.80×.",
        ),
        (
            question("A b c", "residual:wanda:0.7", token=1),
            row(0, (0, 0.2, 0), (0, 0.4, 0.1), gain=2.0),
            None,
            "Later layers **amplify** the damage: pruning 70 % of layer 0 at “b” alone moves the stream by 20 %, and "
            "that ends at **2.00×** its size. **0 of 3** predicted next words change. The median layer ends at 0.80×.",
        ),
        (
            question("A b c", "gaussian:0.5", token=0),
            row(0, (0.5, 0, 0), (0.5, 0.1, 0.4)),
            None,
            "Only the first token is damaged, after layer 0: the others end with a drift of **0.20**. "
            "**0 of 3** predicted next words change.",
        ),
        (
            NOISE,
            row(0, (0, 0, 0), (0, 0, 0)),
            None,
            "Nothing is damaged: the sentence is its first token alone, which is spared. "
            "**0 of 3** predicted next words change.",
        ),
        (
            NOISE,
            row(1, None, (0, 0.5, 0.5)),
            None,
            "No layer follows layer 1: the noise reaches the output as it is. **0 of 3** predicted next words change.",
        ),
    ],
)
def test_what_just_happened(asked, shown, twin, said):
    assert sentence.hit(asked, shown, [0.7, None, 0.8, 0.9], twin).sentence == said


def test_the_sink_is_a_token_far_longer_than_the_others():
    assert sentence.sink([[2, 1, 1], [1, 60, 2]]) == {"token": 1, "longer": 30, "layer": 1}
    assert sentence.sink([[2, 1, 1]]) is None
    assert sentence.sink([[7]]) is None


@pytest.mark.parametrize(
    ("token", "first", "word"),
    [
        ("The", True, "The"),
        (" door", False, "door"),
        ("maker", False, "-maker"),
        (".", False, "."),
        ("\n", False, "line break"),
        ("\n\n", False, "blank line"),
        (" ", False, "space"),
        ("\u200b", False, "space"),
        (" caf\ufffd", False, "caf…"),
        ("", False, "…"),
        ("日", False, "日"),
    ],
)
def test_a_token_as_a_word(token, first, word):
    assert sentence.token_word(token, first) == word


def test_contexts_end_with_the_token_and_are_short():
    found = sentence.contexts([" a", "b", " c", " d", " e", " f"])
    assert found[1] == "ab"
    assert found[-1] == "… b c d e f"
