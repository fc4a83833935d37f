"""Continue a prompt with the dense and a damaged model side by side, token by token, while the damage changes.

One batch of rows with cached keys and values: the dense model on its own text, the damaged one on its own, and the
dense one on the damaged one's text. The dense model reads a prompt once for all listeners, and the damaged one reads it
from the first damaged layer on; each later token is one forward, so that it comes from the same arithmetic in whatever
chunks the text is requested. A token is computed under the damage in force at it; that
of the first token also applies to the whole prompt. Cached keys and values stay as they were when the damage changes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy, deepcopy
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from core.base import UserError
from core.lab.injections import DENSE, HURT, SPARE, GenerationInjection, Masks
from core.measure import seeded_generator, selected_linears
from core.methods import Treatment
from core.models import Call, Loaded, continuation_options, entered, find_part, passed_over, patched, recorded
from core.requests import MOST_TOKENS, Talk, Turn, layers_of, perturbation
from core.store import Chunk, WrittenToken, talks

CHUNK_SECONDS = 0.05  # after which a chunk ends with the token being computed: as long as another reader waits
MAX_CACHE_BYTES = 3 * 2**28  # of keys and values: 20 talks of the bundled model at their longest
MAX_PROMPTS = 8  # whose dense run stays in memory: 8 MB each at the longest
MAX_PRUNED_LAYERS = 32  # layers whose pruned weights stay in memory, all of the bundled model's: 14 MB each
FEW_ROWS = SPARE + 1  # of a linear's input, those of one token
TEMPERATURE = 0.7  # of sampled words
EVERYBODY = ""  # the listener to a committed talk, which all others take over where theirs begins alike


class Continuations:
    """A model that writes, dense and damaged; recent talks continue where they stopped."""

    def __init__(self, loaded: Loaded, masks: Masks):
        self.loaded, self.masks = loaded, masks
        self.wide = _wide(loaded.model)
        self.recent = OrderedDict()  # listener -> continuation, the latest last
        self.pruned = lru_cache(MAX_PRUNED_LAYERS)(self._pruned)
        self.read = lru_cache(MAX_PROMPTS)(self._read)

    @torch.inference_mode()
    def advance(self, request: Talk, listener: str = "", seconds: float = CHUNK_SECONDS) -> Chunk:
        """Return the tokens written already from `request.start` on; if there are none, write for so many seconds.

        At least one token is written. None is returned if rewriting forgotten tokens before `start` took that long.
        The listener's own talk goes on; those idle longest are forgotten.

        Raises:
            UserError: a prompt without tokens or with too many, or a damage that the model cannot take.
        """
        until, talk = time.perf_counter() + seconds, self._talk(request, listener)
        writes, end = len(talk.steps) <= request.start, talk.end()
        while writes and end is None:
            end = talk.write() or talk.end()
            writes = time.perf_counter() < until
        self.recent[listener] = talk
        while len(self.recent) > 1 and sum(each.bytes for each in self.recent.values()) > MAX_CACHE_BYTES:
            self.recent.popitem(last=False)
        return Chunk(steps=talk.steps[request.start : request.tokens], end=end)

    def prefetch(self) -> Iterator[None]:
        """Write the committed talks, a token a step, for whoever changes their damage."""
        for committed in talks():
            for at in range(committed.tokens):
                self.advance(committed.replace(start=at), EVERYBODY, 0)
                yield

    def _talk(self, request: Talk, listener: str) -> "Continuation":
        """Take the listener's talk as far as it agrees with the request; an error forgets it."""
        for turn in request.turns:
            part = turn.word and getattr(perturbation(turn.word), "part", None)
            for layer in layers_of(turn, len(self.loaded.layers)):
                if part:
                    find_part(self.loaded.layers[layer], part)
        own, shared = self.recent.pop(listener, None), self.recent.get(EVERYBODY)
        if own and own.begins(request):
            talk = own
        elif shared and shared.begins(request):
            talk = shared.copied()
        else:
            talk, longest = Continuation(self, request), min(MOST_TOKENS, self.loaded.longest or MOST_TOKENS)
            if not 1 <= (count := len(talk.prompt)) <= longest:
                raise UserError(f"the prompt has {count} tokens and the lab takes 1 to {longest}: shorten it")
        talk.change_damage(request)
        return talk

    def _read(self, *prompt: int) -> "Reading":
        """Run the dense model over a prompt."""
        cache = DynamicCache()  # without window sizes, so that cropping loses nothing
        with recorded(self.loaded.layers) as calls:
            logits = self.forward([prompt], cache)
        return Reading(calls, cache, logits)

    def forward(self, rows: Sequence[Sequence[int]], cache: DynamicCache) -> Tensor:
        """Logits after the last token of each row, (rows, vocabulary); extends the cache."""
        model = self.loaded.model
        options = continuation_options(model, cache) | {"logits_to_keep": 1}
        return model(input_ids=torch.tensor(rows, device=model.device), **options).logits[:, -1].float().cpu()

    def _pruned(self, layer: int, treatment: Treatment, sparsity: float, part: str | None) -> dict[nn.Module, Tensor]:
        """Pruned weights of a layer's linears, all or those of a part, as their modules store them."""
        return {
            linear.module: self.masks.weight(linear, layer, treatment.pruner, sparsity)
            for linear in selected_linears(self.loaded.layers[layer], part)
        }


def _wide(model: nn.Module) -> dict[nn.Linear, Callable[[Tensor], Tensor]]:
    """Linears that widen, and a product from the left for few rows of each, which MKL lets all cores do.

    From the right a single core multiplies four rows: the bundled model's head takes 22 ms in place of 6.
    """
    linears = (each for each in model.modules() if type(each) is nn.Linear and each.weight.device.type == "cpu")
    return {each: partial(_widened, each) for each in linears if each.out_features >= each.in_features}


def _widened(linear: nn.Linear, read: Tensor) -> Tensor:
    """Output of a linear."""
    if read.numel() > FEW_ROWS * linear.in_features:
        return nn.functional.linear(read, linear.weight, linear.bias)
    product = (linear.weight @ read.reshape(-1, linear.in_features).T).T.reshape(*read.shape[:-1], -1)
    return product if linear.bias is None else product + linear.bias


class Reading(NamedTuple):
    """A prompt as the dense model reads it."""

    calls: list[Call]  # of each layer
    cache: DynamicCache
    logits: Tensor  # (1, vocabulary) after the last token


class Continuation:
    """A talk in progress: its tokens, and cached keys and values."""

    def __init__(self, talker: Continuations, request: Talk):
        self.talker, self.loaded, self.request = talker, talker.loaded, request
        self.prompt = self.loaded.tokenizer(request.prompt, verbose=False)["input_ids"]
        self.texts = [*self.prompt], [*self.prompt]  # of the dense model and of the damaged one
        self.steps = []
        self.cache = DynamicCache()

    @property
    def bytes(self) -> int:
        each = [part for layer in self.cache.layers for part in (layer.keys, layer.values) if part is not None]
        return sum(part.untyped_storage().nbytes() for part in each)

    def begins(self, request: Talk) -> bool:
        """True if the request writes on from the same words in the same way."""
        return (self.request.prompt, self.request.seed) == (request.prompt, request.seed)

    def copied(self) -> "Continuation":
        """The same talk so far, to be continued apart."""
        made = copy(self)
        made.texts, made.steps, made.cache = deepcopy(self.texts), [*self.steps], deepcopy(self.cache)
        return made

    def change_damage(self, request: Talk) -> None:
        """Adopt a request, and drop tokens from the first one written under another damage."""
        written = range(len(self.steps))
        self._cut(next((at for at in written if request.damage(at) != self.request.damage(at)), len(self.steps)))
        self.request = request

    def end(self) -> str | None:
        """Empty if complete, a sentence if the model's positions are used up; None if it continues."""
        both_ended = any(each.dense is each.hurt is None for each in self.steps[-1:])
        if both_ended or len(self.steps) >= self.request.tokens:
            return ""
        longest = self.loaded.longest
        if longest is not None and len(self.texts[DENSE]) > longest:
            return f"the text ends here: the model's positions allow {longest} tokens, the prompt's included"
        return None

    def write(self) -> str | None:
        """Write one token of each text; a sentence if the numbers overflow."""
        at = len(self.steps)
        logits = self.next_logits()
        if not logits.isfinite().all():
            self._cut(at)
            return f"the numbers overflow at token {at}: choose a smaller size"
        scores = logits
        if self.request.seed is not None:  # the largest sum is a sample; rows share the noise
            noise = (
                torch.empty(logits.shape[1])
                .exponential_(generator=seeded_generator("word", self.request.seed, at))
                .log()
            )
            scores = logits / TEMPERATURE - noise
        dense, hurt, twin, _ = scores.argmax(-1).tolist()
        last, of_dense, of_hurt = self.steps[-1] if at else None, *self.texts
        fields = dict.fromkeys(("dense", "hurt", "twin", "p"))
        if last is None or last.dense is not None:
            fields["dense"] = self._piece(of_dense, dense)
        if last is None or last.hurt is not None:
            p = float(logits[HURT].softmax(-1)[twin])
            fields |= {
                "hurt": self._piece(of_hurt, hurt),
                "twin": self._piece(of_hurt, twin) or "",
                "p": float(f"{p:.4g}"),
            }
        self.steps.append(WrittenToken(at=at, **fields))
        of_dense.append(dense)
        of_hurt.append(hurt)
        return None

    def next_logits(self) -> Tensor:
        """Logits of every row for the next token, (rows, vocabulary)."""
        at = len(self.steps)
        return self._after_words(at) if at else self._after_prompt()

    def _after_prompt(self) -> Tensor:
        """Logits of every row after the prompt; the layers before the first damaged one do not run again."""
        dense, turn = self.talker.read(*self.prompt), self.request.damage(0)
        layers, logits = [dense.cache.layers] * (SPARE + 1), [dense.logits] * (SPARE + 1)
        if turn:
            first, cache = layers_of(turn, len(self.loaded.layers))[0], DynamicCache()
            # damage first: the statistics that it may still need are measured by running the model
            with self._damaged(turn, 0, len(self.prompt)), entered(passed_over(dense.calls[:first])):
                logits[HURT] = self.talker.forward([self.prompt], cache)
            layers[HURT] = [*dense.cache.layers[:first], *cache.layers[first:]]
        for index, rows in enumerate(zip(*layers, strict=True)):
            self.cache.update(torch.cat([row.keys for row in rows]), torch.cat([row.values for row in rows]), index)
        return torch.cat(logits)

    def _after_words(self, at: int) -> Tensor:
        """Logits of every row after the tokens before `at`, of which the cache holds some."""
        first, turn = self.cache.get_seq_length(), self.request.damage(at)
        rows = [self.texts[row][first:] for row in (DENSE, HURT, HURT, HURT)]
        sharing = entered(patched(each, forward=product) for each, product in self.talker.wide.items())
        with sharing, self._damaged(turn, first, len(rows[DENSE])) if turn else nullcontext():
            return self.talker.forward(rows, self.cache)

    def _damaged(self, turn: Turn, first: int, tokens: int) -> AbstractContextManager:
        """Damage for a run of so many tokens from a position on."""
        damage, place = perturbation(turn.word), (self.request.seed or 0, first, tokens)
        layers = layers_of(turn, len(self.loaded.layers))
        return entered(
            damage.apply(GenerationInjection(self.loaded, self.talker.pruned, layer, *place)) for layer in layers
        )

    def _piece(self, text: list[int], token: int) -> str | None:
        """Characters that a token adds to a text; None for the end token, empty while a character is incomplete."""
        if token == self.loaded.tokenizer.eos_token_id:
            return None
        before, after = self._decode(text), self._decode([*text, token])
        return after[len(before) :]

    def _decode(self, text: list[int]) -> str:
        decoded = self.loaded.tokenizer.decode(text, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return decoded.rstrip("\ufffd")

    def _cut(self, steps: int) -> None:
        """Drop all tokens after the first `steps`, and their keys and values."""
        cached = len(self.prompt) + steps - 1 if steps else 0
        if cached:
            self.cache.crop(min(0, cached - self.cache.get_seq_length()))
        else:
            self.cache = DynamicCache()
        del self.steps[steps:]
        for text in self.texts:
            del text[len(self.prompt) + steps :]
