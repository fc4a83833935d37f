"""What the lab may be asked, and what it refuses before any model is looked at."""

import pytest

from core.requests import Question, lab, perturbation, question


def test_equal_questions_are_one_however_they_are_asked():
    assert question("a b", "gaussian:0.3", first=True) == question("a b", "gaussian:0.3@all")
    assert question("a b", "skip", first=True) == question("a b", "skip"), "it changes every token anyhow"
    alone = question("a b", "gaussian:0.3", token=1)
    assert alone == question("a b", "gaussian:0.3", first=True, token=1) and alone.perturbation.positions == "all"
    assert len({alone, question("a b", "gaussian:0.3"), question("a b", "gaussian:0.3", first=True)}) == 3
    assert Question.model_validate_json(alone.model_dump_json()) == alone


@pytest.mark.parametrize(
    ("asked", "word", "token", "named"),
    [
        (" \n", "skip", None, ["empty"]), ("a", "noise:1", None, ["noise", "gaussian"]),
        ("a", "residual_linear:wanda:0.5:each", None, ["each"]), ("a", "skip", -1, ["token", "-1"]),
        ("a", "residual:sparsegpt:0.5", None, ["magnitude", "wanda"]), ("a" * 2001, "skip", None, ["2,000"]),
        ("a", "checkpoint:/other", None, ["core compare"]),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_refused(asked, word, token, named, refused):
    with refused(*named):
        question(asked, word, token=token)


def test_a_single_token_is_asked_with_all_positions(refused):
    with refused("positions all"):
        lab.checked(Question, sentence="a", perturbation=perturbation("gaussian:0.3"), token=0)


def test_a_talk_reads_back_from_its_link():
    asked = lab.talk('{"prompt": "é b", "turns": [[0, 3, "gaussian:0.30"], [4, 0, ""]], "seed": 3, "start": 2}')
    assert asked.turns == ((0, 3, "gaussian:0.3"), (4, 0, "")) and (asked.seed, asked.start) == (3, 2)
    assert asked == lab.Talk.model_validate(asked.model_dump(mode="json"))
    assert lab.talk('{"prompt": "a", "model": "/elsewhere"}').model == "demo"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("[" * 100_000, ("JSON",)),
        ('{"prompt": " "}', ("prompt", "empty")),
        (r'{"prompt": "a\ud800"}', ("prompt", "half of a sign")),
        ('{"prompt": "a", "tokens": 129}', ("tokens", "128")),
        ('{"prompt": "a", "seed": -1}', ("seed",)),
        ('{"prompt": "a", "turns": [[0, -1, "skip"]]}', ("turns", "-1")),
        ('{"prompt": "a", "turns": [[128, 1, "skip"]]}', ("turns", "128")),
        ('{"prompt": "a", "turns": [[0, 1, "residual:sparsegpt:0.5"]]}', ("magnitude", "wanda")),
        ('{"prompt": "a", "turns": [[0, 1, "mean:mlp"]]}', ("gaussian", "skip")),
        ('{"prompt": "a", "turns": [[0, 1, "skip:head:each"]]}', ("one part",)),
        ('{"prompt": "a", "turns": [[3, 1, "skip"], [3, 1, ""]]}', ("later token",)),
    ],
)
def test_a_talk_that_cannot_be_written_is_refused(said, named, refused):
    with refused(*named):
        lab.talk(said)
