"""What both models write side by side is a plain hooked forward of the whole text, however it is asked for."""

import copy
import itertools
import random
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from core.lab import DENSE, HURT, TEMPERATURE, TWIN, Continuation, Continuations, LabModel
from core.measure import normal, seeded_generator, selected_linears
from core.models import edited, is_prunable, stream_of
from core.requests import Talk, perturbation
from tests import tiny

PROMPT = "The heron stood in"
FAMILIES = (*tiny.FAMILIES, "mistral", "phi", "falcon", "cohere", "gpt_neo", "olmo2", "gemma3_text")
TURNS = ((0, 1, "gaussian:0.3"), (3, 1, ""), (5, 2, "skip"), (8, 0, "gaussian:0.5@all"), (10, 4, "skip"), (11, 0, ""))
PARTS = ((0, 1, "skip:mlp"), (3, 2, "gaussian:0.5:attention"), (6, 2, "skip:head:1"), (9, 4, "gaussian:0.7:head:0"))
PRUNED_PARTS = ((0, 1, "residual:wanda:0.8:attention"), (5, 0, "residual:wanda:0.8:mlp"), (8, 0, ""))
QUANTISED = ((0, 1, "quantised:2"), (4, 2, "quantised:Q4_0"), (7, 2, "quantised:3:mlp"))
PRUNED = ((0, 1, "residual:wanda:0.7"), (4, 2, "residual:magnitude:0.5"), (7, 2, ""), (10, 4, "residual:wanda:0.9"))


@pytest.fixture
def talker():
    return made("llama")


def made(family):
    return Continuations(tiny.loaded(family), masks(family))


@cache
def masks(family):
    return LabModel(tiny.loaded(family)).masks


def talk(turns=TURNS, seed=None, tokens=14, start=0, prompt=PROMPT):
    return Talk(prompt=prompt, turns=turns, seed=seed, tokens=tokens, start=start)


def written(talker, asked, listener="", seconds=0.0):
    """All tokens from the first wanted one on, chunk after chunk."""
    steps, end = [], None
    while end is None:
        chunk = talker.advance(asked.replace(start=asked.start + len(steps)), listener, seconds)
        steps, end = [*steps, *chunk.steps], chunk.end
    assert [each.at for each in steps] == list(range(asked.start, asked.start + len(steps)))
    return steps


# --- the reference ---------------------------------------------------------------------------------------------------


@contextmanager
def hurt(talker, asked, prompt, tokens):
    """Every position of a whole text under the damage of its own time, by plain hooks."""
    starts = [0 if turn.start == 0 else prompt + turn.start - 1 for turn in asked.turns]
    with ExitStack() as stack:
        for turn, first, after in zip(asked.turns, starts, [*starts[1:], tokens], strict=True):
            if turn.word and first < tokens:
                for layer in range(turn.layer) if turn.layer == len(talker.loaded.layers) else [turn.layer]:
                    hook(stack, talker, turn._replace(layer=layer), range(first, min(after, tokens)), asked.seed or 0)
        yield


def hook(stack, talker, turn, positions, seed):
    asked, layer = perturbation(turn.word), talker.loaded.layers[turn.layer]
    span, part = slice(positions.start, positions.stop), getattr(asked, "part", None)

    def added(given):
        changed = given.clone()
        if asked.kind == "skip_part":
            changed[:, span] = 0
        else:
            noisy(changed, f"gaussian_part {part}")
        return changed

    def noisy(stream, kind):
        for at in positions:
            noise = normal(kind, seed, turn.layer, [at], 1, stream.shape[-1])[0, 0]
            if at or asked.positions == "all":
                stream[:, at] += asked.size * stream[:, at].norm() * noise / noise.norm()

    def moved(_, args, kwargs, output):
        entry = args[0] if args else kwargs["hidden_states"]
        stream = stream_of(output).clone()
        if asked.kind == "skip":
            stream[:, span] = entry[:, span]
        else:
            noisy(stream, "gaussian")
        return stream if isinstance(output, Tensor) else (stream, *output[1:])

    def pruned(linear):
        weight = talker.masks.weight(linear, turn.layer, asked.pruner, asked.sparsity)

        def change(module, args, output):
            rows, given = output.reshape(-1, output.shape[-1]).clone(), args[0].reshape(-1, args[0].shape[-1])
            rows[span] = given[span] @ (weight if linear.transposed else weight.T)
            if getattr(module, "bias", None) is not None:
                rows[span] += module.bias
            return rows.reshape(output.shape)

        return change

    if asked.treatment:
        for linear in selected_linears(layer, part):
            stack.callback(linear.module.register_forward_hook(pruned(linear)).remove)
    elif part:
        stack.enter_context(edited(layer, part, added))
    else:
        stack.callback(layer.register_forward_hook(moved, with_kwargs=True).remove)


@torch.inference_mode()
def check(talker, asked):
    """Logits of all three rows and the tokens that follow from them are those of whole texts without a cache."""
    loaded, seen, compute = talker.loaded, [], Continuation.next_logits
    with pytest.MonkeyPatch.context() as watching:
        watching.setattr(Continuation, "next_logits", lambda talk: seen.append(compute(talk)) or seen[-1])
        steps = written(talker, asked)
    texts = talker.recent[""].texts
    prompt = len(texts[DENSE]) - len(steps)
    logits = torch.stack(seen[-len(steps) :], dim=1)
    plain = [whole(loaded, texts[row], prompt) for row in (DENSE, HURT)]
    with hurt(talker, asked, prompt, len(texts[HURT]) - 1):
        damaged = whole(loaded, texts[HURT], prompt)
    for row, expected in ((DENSE, plain[0]), (HURT, damaged), (TWIN, plain[1])):
        torch.testing.assert_close(logits[row], expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    if asked.turns:
        assert (damaged - plain[1]).abs().max() > 1e-2 * damaged.abs().max()
    for at, step in enumerate(steps):
        choice = written_by(logits[:, at], asked.seed, at)
        assert [texts[row][prompt + at] for row in (DENSE, HURT)] == choice[:2]
        if step.p is not None:
            assert step.p == pytest.approx(float(logits[HURT, at].softmax(-1)[choice[TWIN]]), rel=1e-3)


def whole(loaded, text, prompt):
    """Logits of a forward without a cache at every token that another was written after."""
    ids = torch.tensor([text[:-1]])
    return loaded.model(input_ids=ids, use_cache=False).logits[0, prompt - 1 :].float()


def written_by(logits, seed, at):
    if seed is None:
        return logits.argmax(-1).tolist()
    waits = torch.empty(logits.shape[1]).exponential_(generator=seeded_generator("word", seed, at))
    return ((logits / TEMPERATURE).softmax(-1) / waits).argmax(-1).tolist()  # the first of racing exponentials


@pytest.mark.parametrize(("family", "seed"), zip(FAMILIES, itertools.cycle((None, 7))))
def test_every_row_is_a_plain_forward_of_its_whole_text(family, seed):
    talker = made(family)
    for turns in (TURNS, PARTS, *((PRUNED, PRUNED_PARTS) if is_prunable(talker.loaded.layers) else ())):
        check(talker, talk(turns, seed))


def test_so_is_every_row_under_weights_of_few_bits(talker):
    check(talker, talk(QUANTISED))


@pytest.mark.bundled
def test_so_is_every_row_of_the_bundled_model(bundled):
    turns = ((0, 16, "gaussian:1"), (2, 3, "residual:magnitude:0.7:mlp"), (3, 0, ""), (4, 9, "skip:head:8"))
    check(Continuations(bundled, LabModel(bundled).masks), talk(turns, 7, tokens=6))


# --- how it is asked for ---------------------------------------------------------------------------------------------


def test_without_damage_both_write_the_same(talker):
    for step in written(talker, talk((), 3)):
        assert step.dense == step.hurt == step.twin


def test_chunks_pauses_and_detours_never_change_the_text(talker):
    """A talk that is stopped, asked for from anywhere, damaged otherwise and taken up again says the same."""
    chance = random.Random(0)
    asked = [talk(turns, seed) for turns in (TURNS, PRUNED, TURNS[:1], ()) for seed in (None, 5)]
    expected = {each: written(made("llama"), each, seconds=9) for each in asked}
    for _ in range(25):
        each, start = chance.choice(asked), chance.randrange(14)
        listener, seconds = chance.choice("ab"), chance.choice((0.0, 0.01, 9.0))
        if chance.random() < 0.3:
            talker.advance(each.replace(start=start), listener, seconds)
        else:
            found = written(talker, each.replace(start=start), listener, seconds)
            assert found == expected[each][start:]


def test_forgotten_talks_are_written_anew(monkeypatch, talker):
    before = written(talker, talk(), "a")
    monkeypatch.setattr("core.lab.continuation.MAX_CACHE_BYTES", talker.recent["a"].bytes * 5 // 2)
    for listener in "bcd":
        written(talker, talk(seed=1), listener)
    assert list(talker.recent) == ["c", "d"], "the longest unheard are forgotten"
    first = talker.advance(talk(start=13), "a", 0.0)
    assert first.steps == () and first.end is None, "others have a turn meanwhile"
    assert written(talker, talk(start=13), "a") == before[13:]


def test_a_run_that_breaks_off_leaves_nothing_behind(talker):
    """Half of the layers may have kept what they read when memory runs out."""
    expected, asked = written(made("llama"), talk()), talk(start=5)
    written(talker, talk(tokens=5))

    def fail(*_):
        raise MemoryError

    hook = talker.loaded.layers[2].register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        talker.advance(asked)
    hook.remove()
    assert written(talker, asked) == expected[5:]


def test_a_text_ends_where_both_have_ended(talker):
    """And the damaged one goes on where the dense one alone has ended."""
    written(talker, talk((), seed=5))
    tokenizer = copy.deepcopy(talker.loaded.tokenizer)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(talker.recent[""].texts[DENSE][-8])
    ending = made("llama")
    ending.loaded = replace(ending.loaded, tokenizer=tokenizer)
    both, hurt = written(ending, talk((), seed=5)), written(ending, talk(seed=5))
    assert len(both) < 14 and both[-1].dense is both[-1].hurt is None and both[-1].twin == ""
    assert [each.dense for each in hurt[len(both) - 1 :]] == [None] * (15 - len(both)) and hurt[-1].hurt


# --- what is refused -------------------------------------------------------------------------------------------------


def test_numbers_that_overflow_end_the_text(talker):
    asked = talk(((4, 1, "gaussian:1e38"),))
    chunk = talker.advance(asked, seconds=9)
    assert len(chunk.steps) == 4 and "overflow at token 4" in chunk.end
    healed = talk(((4, 1, ""),))
    assert written(talker, healed) == written(made("llama"), healed)


def test_the_text_ends_with_the_model_s_positions(talker):
    chunk = talker.advance(talk((), tokens=128), seconds=60)
    prompt = len(talker.loaded.tokenizer(PROMPT)["input_ids"])
    assert len(chunk.steps) == tiny.LONGEST - prompt + 1 and str(tiny.LONGEST) in chunk.end


@pytest.mark.parametrize(
    ("family", "asked", "named"),
    [
        ("llama", {"turns": ((0, 5, "skip"),)}, ("layer 5", "0 to 3")),
        ("llama", {"turns": ((9, 5, ""),)}, ("layer 5", "0 to 3")),
        ("llama", {"turns": ((0, 1, "skip:head:4"),)}, ("head 4", "0 to 3")),
        ("llama", {"prompt": "a b " * 80}, ("tokens", "1 to 64")),
        ("mixtral", {"turns": ((0, 1, "residual:wanda:0.5"),)}, ("cannot be pruned",)),
    ],
)
def test_what_cannot_be_written_is_refused(family, asked, named, refused):
    with refused(*named):
        made(family).advance(talk(**asked))


def test_texts_are_those_that_a_tokenizer_writes(talker):
    """Pieces put together are the whole text, signs of several tokens included."""
    asked = talk((), seed=11, tokens=40, prompt="é")
    found = written(talker, asked)
    decoded = talker.loaded.tokenizer.decode(talker.recent[""].texts[DENSE], skip_special_tokens=True)
    pieces = "".join(each.dense or "" for each in found)
    assert decoded.startswith("é" + pieces)
