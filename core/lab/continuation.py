"""Continue a prompt with the dense and a damaged model side by side, token by token, while the damage changes.

One batch of three rows with cached keys and values: the dense model on its own text, the damaged one on its own, and
the dense one on the damaged one's text. The prompt is one forward, each later token another, so that a token comes from
the same arithmetic in whatever chunks the text is requested. A token is computed under the damage in force at it; that
of the first token also applies to the whole prompt. Cached keys and values stay as they were when the damage changes.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from copy import copy, deepcopy
from functools import lru_cache

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from core.base import UserError
from core.lab.injections import DENSE, HURT, GenerationInjection
from core.measure.perturb import seeded_generator, selected_linears
from core.methods import Treatment
from core.models.layer_parts import find_part
from core.models.loading import Loaded
from core.models.replay import continuation_options
from core.prune.walk import Masks
from core.requests import MOST_TOKENS, Talk, layers_of, perturbation
from core.store import Chunk, WrittenToken, talks

CHUNK_SECONDS = 0.05  # after which a chunk ends with the token being computed: as long as another reader waits
MAX_CACHE_BYTES = 2**29  # of keys and values: 20 talks of the bundled model at their longest
MAX_PRUNED_LAYERS = 32  # layers whose pruned weights stay in memory, all of the bundled model's: 14 MB each
TEMPERATURE = 0.7  # of sampled words
EVERYBODY = ""  # the listener to a committed talk, which all others take over where theirs begins alike


class Continuations:
    """A model that writes, dense and damaged; recent talks continue where they stopped."""

    def __init__(self, loaded: Loaded, masks: Masks):
        self.loaded, self.masks = loaded, masks
        self.recent = OrderedDict()  # listener -> continuation, the latest last
        self.pruned = lru_cache(MAX_PRUNED_LAYERS)(self._pruned)

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
        layers = self.loaded.layers
        for turn in request.turns:
            part = turn.word and getattr(perturbation(turn.word), "part", None)
            for layer in layers_of(turn, len(layers)):
                if part:
                    find_part(layers[layer], part)
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

    def _pruned(self, layer: int, treatment: Treatment, sparsity: float, part: str | None) -> dict[nn.Module, Tensor]:
        """Pruned weights of a layer's linears, all or those of a part, as their modules store them."""
        return {
            linear.module: self.masks.weight(linear, layer, treatment.pruner, sparsity)
            for linear in selected_linears(self.loaded.layers[layer], part)
        }


class Continuation:
    """A talk in progress: its tokens, and cached keys and values."""

    def __init__(self, talker: Continuations, request: Talk):
        self.loaded, self.pruned, self.request = talker.loaded, talker.pruned, request
        self.prompt = self.loaded.tokenizer(request.prompt, verbose=False)["input_ids"]
        self.texts = [*self.prompt], [*self.prompt]  # of the dense model and of the damaged one
        self.steps = []
        self.cache = DynamicCache()  # without window sizes, so that cropping loses nothing

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
        at, first = len(self.steps), self.cache.get_seq_length()
        ids = torch.tensor([self.texts[row][first:] for row in (DENSE, HURT, HURT)], device=self.loaded.model.device)
        options = continuation_options(self.loaded.model, self.cache) | {"logits_to_keep": 1}
        with ExitStack() as damage:
            if turn := self.request.damage(at):
                injected, place = perturbation(turn.word), (self.request.seed or 0, first, ids.shape[1])
                for layer in layers_of(turn, len(self.loaded.layers)):
                    damage.enter_context(injected.apply(GenerationInjection(self.loaded, self.pruned, layer, *place)))
            logits = self.loaded.model(input_ids=ids, **options).logits[:, -1].float().cpu()
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
        dense, hurt, twin = scores.argmax(-1).tolist()
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
