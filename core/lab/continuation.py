"""A dense model and a damaged one that continue a prompt side by side, token by token, while the damage changes.

Three rows are one batch whose keys and values are kept: the dense model on its own text, the damaged one on its own,
and the dense one on the damaged one's. The prompt is one forward, every token after it another, so that a token comes
from the same arithmetic however the text is asked for. It is computed under the damage in force at it, that of the
first one is done to the whole prompt too; what was read earlier stays as it was when the damage changes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import lru_cache

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from core.base import Positions, UserError, frozen
from core.measure.perturb import chosen, drawn_by, normal, rescaled
from core.methods import Treatment
from core.models.layer_parts import Edit, edited, find
from core.models.loading import Loaded
from core.models.replay import called, going_on, together
from core.prune.linears import Masks
from core.requests.lab import MOST_TOKENS, Talk, Turn, layers_of
from core.requests.perturbations import perturbation
from core.store.scenes import Chunk, Spoken

DENSE, HURT, TWIN = range(3)  # rows of the batch
CHUNK = 0.05  # seconds, and the token that is computed then: so long does another reader wait
KEPT = 2**29  # bytes of keys and values: 20 talks of the bundled model at their longest
PRUNED = 32  # layers whose pruned weights are kept, all of the bundled model's: 14 MB each
TEMPERATURE = 0.7  # of words that are sampled


class Talker:
    """A model that writes, dense and damaged; talks that were listened to lately go on where they stopped."""

    def __init__(self, loaded: Loaded, masks: Masks):
        self.loaded, self.masks = loaded, masks
        self.talks = OrderedDict()  # by listener, the latest last
        self.pruned = lru_cache(PRUNED)(self._pruned)

    @torch.inference_mode()
    def go_on(self, asked: Talk, listener: str = "", seconds: float = CHUNK) -> Chunk:
        """The tokens that are known from the first wanted one on; where none is, those written in so many seconds.

        At least one is written. None is told where those before the wanted one, forgotten meanwhile, took so long.

        Args:
            listener: who goes on with a talk of their own; the longest unheard ones are forgotten.

        Raises:
            UserError: a prompt without tokens or with too many, or a damage that the model cannot take.
        """
        until, talk = time.perf_counter() + seconds, self._talk(asked, listener)
        writes, end = len(talk.steps) <= asked.start, talk.end(asked)
        while writes and end is None:
            end = talk.write(self) or talk.end(asked)
            writes = time.perf_counter() < until
        self.talks[listener] = talk
        while len(self.talks) > 1 and sum(each.bytes for each in self.talks.values()) > KEPT:
            self.talks.popitem(last=False)
        return Chunk(steps=talk.steps[asked.start : asked.tokens], end=end)

    def _talk(self, asked: Talk, listener: str) -> "Writing":
        """The listener's talk up to where it is the one that is asked for; whoever breaks off keeps none."""
        layers = self.loaded.layers
        for turn in asked.turns:
            part = turn.word and getattr(perturbation(turn.word), "part", None)
            for layer in layers_of(turn, len(layers)):
                if part:
                    find(layers[layer], part)
        talk = self.talks.pop(listener, None)
        if talk is None or (talk.asked.prompt, talk.asked.seed) != (asked.prompt, asked.seed):
            talk, most = Writing(self.loaded, asked), min(MOST_TOKENS, self.loaded.longest or MOST_TOKENS)
            if not 1 <= (count := len(talk.prompt)) <= most:
                raise UserError(f"the prompt has {count} tokens and the lab takes 1 to {most}: shorten it")
        talk.turn_to(asked)
        return talk

    def _pruned(self, layer: int, treatment: Treatment, sparsity: float, part: str | None) -> dict[nn.Module, Tensor]:
        """The weights of a layer's linears, all or those of a part, as their modules store them."""
        return {
            linear.module: self.masks.weight(linear, layer, treatment.pruner, sparsity)
            for linear in chosen(self.loaded.layers[layer], part)
        }


class Writing:
    """A talk as far as it is written: its tokens, and the keys and values of all that was read."""

    def __init__(self, loaded: Loaded, asked: Talk):
        self.loaded, self.asked = loaded, asked
        self.prompt = loaded.tokenizer(asked.prompt, verbose=False)["input_ids"]
        self.texts = [*self.prompt], [*self.prompt]  # of the dense model and of the damaged one
        self.steps = []
        self.kept = DynamicCache()  # without the sizes of windows: nothing that is cut off later is lost

    @property
    def bytes(self) -> int:
        each = [part for layer in self.kept.layers for part in (layer.keys, layer.values) if part is not None]
        return sum(part.untyped_storage().nbytes() for part in each)

    def turn_to(self, asked: Talk) -> None:
        """Take over the damage, and forget the tokens that another one was in force at."""
        known = range(len(self.steps))
        self._cut(next((at for at in known if _damage(asked, at) != _damage(self.asked, at)), len(self.steps)))
        self.asked = asked

    def end(self, asked: Talk) -> str | None:
        """Empty once all is written, a sentence where there is no room; None: it goes on."""
        if len(self.steps) >= asked.tokens or (self.steps and self.steps[-1].dense is self.steps[-1].hurt is None):
            return ""
        longest = self.loaded.longest
        if longest is not None and len(self.texts[DENSE]) > longest:
            return f"the text ends here: the model's positions allow {longest} tokens, the prompt's included"
        return None

    def write(self, talker: Talker) -> str | None:
        """Write a token of each; a sentence where the numbers overflow."""
        at, first = len(self.steps), self.kept.get_seq_length()
        given = torch.tensor([self.texts[row][first:] for row in (DENSE, HURT, HURT)], device=self.loaded.model.device)
        how = going_on(self.loaded.model, self.kept) | {"logits_to_keep": 1}
        with ExitStack() as damage:
            if turn := _damage(self.asked, at):
                asked, about = perturbation(turn.word), (self.asked.seed or 0, first, given.shape[1])
                for layer in layers_of(turn, len(self.loaded.layers)):
                    damage.enter_context(asked.apply(_Injection(talker, layer, *about)))
            logits = self.loaded.model(input_ids=given, **how).logits[:, -1].float().cpu()
        if not logits.isfinite().all():
            self._cut(at)
            return f"the numbers overflow at token {at}: choose a smaller size"
        scores = logits
        if self.asked.seed is not None:  # the largest of these is a sample; rows differ by what the model says alone
            noise = torch.empty(logits.shape[1]).exponential_(generator=drawn_by("word", self.asked.seed, at)).log()
            scores = logits / TEMPERATURE - noise
        dense, hurt, twin = scores.argmax(-1).tolist()
        last, of_dense, of_hurt = self.steps[-1] if at else None, *self.texts
        told = dict.fromkeys(("dense", "hurt", "twin", "p"))
        if last is None or last.dense is not None:
            told["dense"] = self._piece(of_dense, dense)
        if last is None or last.hurt is not None:
            p = float(logits[HURT].softmax(-1)[twin])
            told |= {
                "hurt": self._piece(of_hurt, hurt),
                "twin": self._piece(of_hurt, twin) or "",
                "p": float(f"{p:.4g}"),
            }
        self.steps.append(Spoken(at=at, **told))
        of_dense.append(dense)
        of_hurt.append(hurt)
        return None

    def _piece(self, text: list[int], token: int) -> str | None:
        """The signs that a token adds to a text; None for the end token, empty where the sign is not whole yet."""
        if token == self.loaded.tokenizer.eos_token_id:
            return None
        before, after = self._shown(text), self._shown([*text, token])
        return after[len(before) :]

    def _shown(self, text: list[int]) -> str:
        shown = self.loaded.tokenizer.decode(text, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return shown.rstrip("\ufffd")

    def _cut(self, steps: int) -> None:
        """Forget all tokens but the first ones, and what was read of them."""
        read = len(self.prompt) + steps - 1 if steps else 0
        if read:
            self.kept.crop(min(0, read - self.kept.get_seq_length()))
        else:
            self.kept = DynamicCache()
        del self.steps[steps:]
        for text in self.texts:
            del text[len(self.prompt) + steps :]


def _damage(asked: Talk, at: int) -> Turn | None:
    """The damage in force at a token, whenever it began; None: none."""
    last = next((turn for turn in reversed(asked.turns) if turn.start <= at), None)
    return last._replace(start=0) if last and last.word else None


# --- what a perturbation can do while the model writes ---------------------------------------------------------------


@frozen
class _Injection:
    """Stands where a perturbation expects a layer's recorded run: what it does there becomes a context.

    Inside, every run of the model has the damaged row changed. Nothing is run twice, for a run keeps keys and values.
    """

    talker: Talker
    layer: int
    seed: int  # of the noise
    first: int  # position of the tokens that are run
    tokens: int

    @property
    def entry(self) -> AbstractContextManager:
        """The layer left out; its keys and values are there all the same."""
        return self._replaced(lambda entry, _: entry)

    def noise(self, kind: str, like: Tensor | None = None) -> Tensor:
        """Standard normal noise, (1, tokens, width): a position's is the same in whichever run."""
        width = self.talker.loaded.config.get_text_config().hidden_size if like is None else like.shape[-1]
        positions = range(self.first, self.first + self.tokens)
        return normal(kind, self.seed, self.layer, positions, 1, width).transpose(0, 1)

    def moved(
        self, direction: Tensor, size: float, positions: Positions, start: Tensor | None = None
    ) -> AbstractContextManager | Tensor:
        """The stream after the layer, or where it starts, and `size` of its norm in a direction, per token."""

        def move(start):
            return start + rescaled(direction.to(start.device), start, size, "all" if self.first else positions)

        return move(start) if start is not None else self._replaced(lambda _, stream: move(stream))

    def pruned(self, treatment: Treatment, sparsity: float, part: str | None = None) -> AbstractContextManager:
        """Linears, all or those of a part, that have their pruned weights for the damaged row."""
        weights = self.talker.pruned(self.layer, treatment, sparsity, part)

        def changed(module, args, output):
            given = args[0].reshape(3, self.tokens, -1)  # OPT's has one row for all tokens
            own, module.weight.data = module.weight.data, weights[module]
            try:
                found = module.forward(given[HURT : HURT + 1])  # without this hook
            finally:
                module.weight.data = own
            return _row(output.reshape(3, self.tokens, -1), lambda _: found).reshape(output.shape)

        return together(module.register_forward_hook(changed) for module in weights)

    def edited(self, part: str, edit: Edit) -> AbstractContextManager:
        """What a part gives, changed for the damaged row."""
        return edited(self.talker.loaded.layers[self.layer], part, lambda given: _row(given, edit))

    def _replaced(self, change: Callable[[Tensor, Tensor], Tensor]) -> AbstractContextManager:
        """The layer's output replaced by what is made of its input and its output."""

        def replaced(layer, args, kwargs, output):
            call = called(layer, args, kwargs, output)
            entry = call.entry[HURT : HURT + 1]
            return call.output(_row(call.exit, lambda stream: change(entry, stream)))

        return self.talker.loaded.layers[self.layer].register_forward_hook(replaced, with_kwargs=True)


def _row(rows: Tensor, change: Edit) -> Tensor:
    """The same with the damaged row changed."""
    return torch.cat([rows[:HURT], change(rows[HURT : HURT + 1]), rows[HURT + 1 :]])
