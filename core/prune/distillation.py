"""Distillation: train the weights that pruning kept, whole model at once; stops and resumes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache

from core.base import UserError, readable
from core.methods import (
    CHUNK,
    LEARNING_RATE,
    PROMPT_TOKENS,
    TOKENS_AT_ONCE,
    MaskedWeights,
    Warn,
    adam,
    batch_of,
    check_steps,
    gradient,
    has_converged,
    learning_rate_share,
    take_step,
    training_windows,
    validation_windows,
    windows_of_step,
)
from core.models import (
    Cancelled,
    Layers,
    Loaded,
    Step,
    Tensors,
    anatomy,
    continuation_options,
    entered,
    losses,
    patched,
    tail,
)
from core.store import Corrupt, Store, content_hash, patiently, temporary_folder

SEAL = "sha256"  # in the metadata: over the folder that a file was written for, and all that it holds
MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # of the optimizer; none before the first step


class Distillation:
    """A training run; resumed from its `state`, it continues as if it had never stopped."""

    steps = end = done = 0  # of the schedule, of this run, done so far

    def __init__(self, loaded: Loaded, masked: MaskedWeights, tokens: Tensor, reference: Tensor, dtype: str):
        """tokens: (windows, length). reference: (windows, length, width) the dense model's last stream."""
        self.loaded, self.masked, self.tokens, self.reference = loaded, masked, tokens, reference
        self.products = products(loaded, dtype)
        self.form = loaded.record(tokens[:1, :2])  # of the layers' outputs
        self.held_windows, self.batch = validation_windows(len(tokens)), batch_of(tokens.shape[1])  # windows
        self.size = self.batch * tokens.shape[1]  # tokens of a step
        self.divergences = []  # on the validation windows, at the start and at every check since
        self.best, self.optimizer = masked.value.clone(), adam(masked)

    @property
    def looks(self) -> list[int]:
        """Tokens trained on at each check of the validation windows, later ones included."""
        return [self.size * each for each in check_steps(self.steps, self.end, len(self.held_windows) // self.batch)]

    def state(self) -> Tensors:
        """The whole state of the training, by name."""
        plain = {"sizes": self.masked.sizes, "divergences": self.divergences, "looks": self.looks, "steps": self.steps,
                 "done": self.done}  # fmt: skip
        return {
            "mask": self.masked.mask,
            "value": self.masked.value,
            "best": self.best,
            **self.optimizer.state[self.masked.value],
            **{name: torch.tensor(each, dtype=torch.double) for name, each in plain.items()},
        }

    def resume(self, state: Tensors) -> None:
        """Continue from a saved `state`; the masks are those of the weights already."""
        self.best, self.divergences = state["best"], state["divergences"].tolist()
        self.masked.sizes = state["sizes"].tolist()
        self.steps, self.done = int(state["steps"]), int(state["done"])
        self.masked.set(state["value"])
        self.optimizer.state[self.masked.value] = {name: state[name] for name in state.keys() & MOMENTS}

    def run(self, looked: Callable[[], object], step: Callable[[], object], warn: Warn) -> None:
        """Train the kept weights by Adam; the model ends with those that did best on the validation windows.

        So it is never further from the dense model there than at its start. If the loss is not finite, training ends
        with the best weights so far.

        Args:
            looked: called when `state` may be saved: after every validation check, and on Cancelled.
            step: called after every step; may raise Cancelled.
            warn: called with a sentence if the loss is not finite.
        """
        if not self.divergences:
            self.divergences = [self.judged()]
            looked()
        while self.done < self.end and not has_converged(self.divergences):
            self.gradient(self.done)
            if not self.masked.value.grad.norm().isfinite():
                warn(f"the loss of step {self.done + 1} is not a finite number: the best weights before it stay")
                break
            take_step(self.masked, self.optimizer, LEARNING_RATE * learning_rate_share(self.done, self.steps))
            self.done += 1
            if self.done * self.size in self.looks:
                now = self.judged()
                if now < min(self.divergences):
                    self.best.copy_(self.masked.value)
                self.divergences.append(now)
                looked()
            try:
                step()
            except Cancelled:
                looked()
                raise
        self.masked.set(self.best)

    def judged(self, most: int | None = None) -> float:
        """KL(dense || model) of the validation windows, or of the first `most` of them, nats/token."""
        windows = self.held_windows[:most]
        with self.products:
            return float(losses.evaluate(self.loaded, self.tokens[windows], self.reference[windows]).kl.mean())

    @torch.enable_grad()
    def gradient(self, step: int) -> None:
        """Write the gradient of KL(dense || model), summed over a step, into the vector of kept weights."""
        windows = windows_of_step(step, self.batch, len(self.tokens))
        width = max(1, CHUNK // len(windows))
        with self.masked.learning(), checkpointed(self.loaded.layers), self.products:
            stream = losses.last_stream(self.loaded, self.tokens[windows].to(self.masked.value.device))
            ahead = stream.detach().requires_grad_()
            for own, dense in zip(ahead.split(width, 1), self.reference[windows].split(width, 1), strict=True):
                with torch.no_grad():
                    wanted = tail(self.loaded.model, self.form, dense.to(stream.device))
                logits = tail(self.loaded.model, self.form, own)
                logits.backward(gradient(logits.detach(), wanted))
            stream.backward(ahead.grad)


def products(loaded: Loaded, dtype: str) -> torch.autocast:
    """While inside, matrices are multiplied in bfloat16 if that is the dtype."""
    return torch.autocast(loaded.model.device.type, torch.bfloat16, dtype == "bfloat16")


def checkpointed(layers: Layers) -> AbstractContextManager:
    """While inside, layers keep only their input for the backward pass, which runs them once more."""
    return entered(patched(layer, forward=partial(checkpoint, layer.forward, use_reentrant=False)) for layer in layers)


def trainable_weights(layers: Layers, norms: bool) -> list[Tensor]:
    """Every prunable weight as its module stores it; norms and biases too if asked for."""
    vectors = (each for layer in layers for each in layer.parameters() if norms and each.dim() == 1)
    return [*(linear.module.weight for layer in layers for linear in anatomy.prunable_linears(layer)), *vectors]


@torch.no_grad()  # no inference mode: it is trained on
def own_text(loaded: Loaded, tokens: Tensor, path: Path, step: Step, warn: Warn) -> Tensor:
    """Rewrite the training windows in the dense model's own words: their first tokens, then its samples.

    Validation windows stay as they are.

    Args:
        tokens: (windows, length).
        path: file that keeps the written windows; they are not written again.
        step: called with how many windows are written; may raise Cancelled.
        warn: called with a sentence if the file does not fit.

    Returns:
        (windows, length), the same shape.
    """
    read, size = training_windows(len(tokens)), max(1, TOKENS_AT_ONCE // tokens.shape[1])
    fits = partial(is_written, tokens[read], loaded.model.get_input_embeddings().num_embeddings)
    done = load_checkpoint(path, tokens.device, fits, warn).get("tokens", tokens[:0])
    for first in range(len(done), len(read), size):
        written, keys_and_values = tokens[read[first : first + size], :PROMPT_TOKENS], DynamicCache()
        draws, how = torch.Generator().manual_seed(first), continuation_options(loaded.model, keys_and_values)
        while written.shape[1] < tokens.shape[1]:
            unread = written[:, keys_and_values.get_seq_length() :].to(loaded.model.device)
            logits = loaded.model(input_ids=unread, **how).logits[:, -1].float().cpu()
            written = torch.cat([written, torch.multinomial(logits.softmax(-1), 1, generator=draws)], 1)
        done = torch.cat([done, written])
        save_checkpoint(path, {"tokens": done})
        step(len(done))
    return tokens.index_copy(0, torch.tensor(read), done)


# --- files of a training -----------------------------------------------------------------------------------------


def save_checkpoint(path: Path, state: Tensors) -> None:
    """Save the state of a training, or its text, in place of an earlier one.

    Raises:
        OSError, SafetensorError: the disk is full; the earlier file stays.
    """
    with temporary_folder(path) as temporary:
        save_file(state, temporary / path.name, {SEAL: _seal(path, state)})
        patiently(lambda: (temporary / path.name).replace(path))


def load_checkpoint(path: Path, device: torch.device, fits: Callable[[Tensors], bool], warn: Warn) -> Tensors:
    """Load a checkpoint; {} if there is none.

    Args:
        fits: true if work can go on with it: the hash shows damage, not a lie.
        warn: called with a sentence if it does not fit, or is not what was written here, which sets it aside.
    """
    if not path.exists():
        return {}
    with suppress(UserError, SafetensorError), safe_open(readable(path, "weights file"), "pt") as file:
        state = load_file(path, str(device))
        if (file.metadata() or {}).get(SEAL) == _seal(path, state) and fits(state):
            return state
    reason = f"{path.name} of an earlier run does not fit this model and request: it was set aside, and begun anew"
    Store(path.parents[2]).set_aside(path, Corrupt(reason))
    warn(reason)
    return {}


def is_written(tokens: Tensor, words: int, state: Tensors) -> bool:
    """True if a state is how the first of some windows, (windows, length), go on in a vocabulary of `words`."""
    if state.keys() != {"tokens"} or state["tokens"].ndim != 2:
        return False
    own, begun = state["tokens"], tokens[: len(state["tokens"])]
    alike = own.dtype == begun.dtype and own.shape == begun.shape and len(own) > 0
    return alike and 0 <= own.min() <= own.max() < words and own[:, :PROMPT_TOKENS].equal(begun[:, :PROMPT_TOKENS])


def can_resume(weights: list[Tensor], steps: int | None, state: Tensors) -> bool:
    """True if names, shapes and types of a state are those of a training of these weights, and its numbers finite.

    Args:
        steps: of its schedule; None if only its first run knew them.
    """
    if not {"best", "divergences", "looks"} <= state.keys():
        return False
    vector, number = (torch.float, state["best"].shape), (torch.double, torch.Size())
    forms = {
        "mask": (torch.bool, torch.Size([sum(each.numel() for each in weights)])),
        "sizes": (torch.double, torch.Size([len(weights)])),
        **{"value": vector, "best": vector, "steps": number, "done": number},
        **{name: (torch.double, state[name].flatten().shape) for name in ("divergences", "looks")},
        **({"exp_avg": vector, "exp_avg_sq": vector, "step": (torch.float, number[1])} if "step" in state else {}),
    }
    if forms != {name: (each.dtype, each.shape) for name, each in state.items()}:
        return False
    done, end = state["done"], state["steps"]
    return (
        all(bool(each.isfinite().all()) for each in state.values())
        and [*vector[1]] == [state["mask"].sum()]
        and ("step" in state) == (done > 0)
        and 0 <= done <= end == (steps or end)
        and len(state["divergences"]) > 0
    )


def _seal(path: Path, state: Tensors) -> str:
    """SHA-256 of a checkpoint and of its folder, which names model and recipe."""
    return content_hash(path.parent.name, {name: each.cpu().numpy() for name, each in state.items()})
