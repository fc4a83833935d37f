"""Another checkpoint of a model: differences of the weights, and of whole runs.

One layer at a time is a perturbation, `core.methods.checkpoint`.
"""

import math
import re

import numpy as np
import torch
from torch import Tensor

from core.base import UserError, unique
from core.measure.engines import Dense, Reader, harm_tokens
from core.models import Layers, Loaded, Step, checkpoint_pieces, tail, weights_on_device
from core.store import Cumulative, Difference


def refuse_unlike(loaded: Loaded, other: Loaded) -> None:
    """Check that two checkpoints can be compared layer by layer, and that there is something to compare.

    Raises:
        UserError: another architecture, depth, shape or vocabulary; or every tensor is equal.
    """
    mine, its = loaded.source.label, other.source.label
    kinds = [type(each.model).__name__ for each in (loaded, other)]
    if kinds[0] != kinds[1]:
        raise UserError(f"{its} is a {kinds[1]} and {mine} a {kinds[0]}: compare checkpoints of one architecture")
    ours, theirs = map(_words, (loaded, other))
    if ours != theirs:
        raise UserError(
            f"{its} has another vocabulary than {mine} ({len(theirs):,} words against {len(ours):,}): compare "
            "checkpoints with one tokenizer"
        )
    shapes = [
        {name: tuple(value.shape) for name, value in each.model.named_parameters(remove_duplicate=False)}
        for each in (loaded, other)
    ]
    for name in {**shapes[0], **shapes[1]}:
        ours, theirs = (found.get(name, "not there") for found in shapes)
        if ours != theirs:
            raise UserError(f"{name} is {theirs} in {its} and {ours} in {mine}: compare models of one shape")
    if settings(loaded, other):
        return
    both = zip(*(checkpoint_pieces(each.model) for each in (loaded, other)), strict=True)
    if all(
        ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name].to(ours[name].device)) for name in ours)
        for ours, theirs in both
    ):
        raise UserError(f"{mine} and {its} are equal in every tensor: there is nothing to compare")


NAMES_ONLY = re.compile(  # settings that tell a program how to run a model, or are told elsewhere
    "token|name|version|dtype|cache|dropout|architect|quant|initializer|vocab|max_|return_|output_|tie_|pretraining|"
    "model_type|rope|_implementation|is_|chunk|use_bidirectional"
)
ROPE = "rotary positions"


def settings(loaded: Loaded, other: Loaded) -> dict[str, str]:
    """Settings that decide what a model computes and differ: name -> `ours, theirs`.

    Positions are compared by the frequencies that they come to, which files of two kinds tell in different words.
    """
    mine, its = (vars(each.model.config.get_text_config()) for each in (loaded, other))
    unlike = {
        name: f"{mine[name]}, {its[name]}"
        for name in mine.keys() & its.keys()
        if not (NAMES_ONLY.search(name) or _alike(mine[name], its[name]))
    }
    turns = [dict(each.model.named_buffers()) for each in (loaded, other)]
    there = [name for name in turns[0] if name.endswith("inv_freq") and name in turns[1]]
    if not all(torch.allclose(turns[0][name], turns[1][name], rtol=1e-4) for name in there):
        unlike[ROPE] = ", ".join(str(each.get("rope_parameters")) for each in (mine, its))
    return unlike


def _alike(ours: object, theirs: object) -> bool:
    """True for numbers equal up to how files round them, and for anything that one side does not tell."""
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-4)
    return ours == theirs or None in (ours, theirs)


def _words(of: Loaded) -> dict[str, int]:
    """The vocabulary with its ids, but for words without an embedding: libraries add some to those of a GGUF file."""
    rows = len(of.model.get_input_embeddings().weight)
    return {word: index for word, index in of.tokenizer.get_vocab().items() if index < rows}


def tensors(layers: Layers) -> list[str]:
    """Names of the layers' tensors, each once, in the order of their modules."""
    return unique(name for layer in layers for name, _ in layer.named_parameters())


def layers_name(loaded: Loaded) -> str:
    """Name of the list of layers in the model, as `model.layers`."""
    return next(name for name, module in loaded.model.named_modules() if module is loaded.layers)


def difference(loaded: Loaded, other: Loaded, step: Step) -> Difference:
    """Error and scale of every tensor; `step` is called with how many layers are finished."""
    names = tensors(loaded.layers)
    error = np.zeros((len(loaded.layers), len(names)))
    scale = np.ones_like(error)
    for index, layer in enumerate(loaded.layers):
        with weights_on_device(layer), weights_on_device(other.layers[index]):
            for name, ours in layer.named_parameters():
                cell = index, names.index(name)
                error[cell], scale[cell] = error_and_scale(ours, other.layers[index].get_parameter(name))
        step(index + 1)
    pairs = ([each.model.get_parameter(name) for each in (loaded, other)] for name in loaded.outside)
    return Difference(error=error, scale=scale, outside=np.array([error_and_scale(*pair)[0] for pair in pairs]))


def error_and_scale(ours: Tensor, theirs: Tensor) -> tuple[float, float]:
    """`||W' - W|| / ||W||` and `<W', W> / <W, W>`; where W is zero, 1 if W' is not, and 1."""
    ours, theirs = ours.detach().cpu().double().flatten(), theirs.detach().cpu().double().flatten()
    size, change = float(ours @ ours), float((theirs - ours).norm())
    if not size:
        return float(change > 0), 1.0
    return change / size**0.5, float(ours @ theirs) / size


@torch.inference_mode()
def cumulative(loaded: Loaded, other: Loaded, tokens: Tensor, step: Step) -> Cumulative:
    """Drift and harm of the whole other checkpoint; `step` is called with how many sequences are.

    Args:
        tokens: (sequences, length).
    """
    rows = []
    for index, ids in enumerate(tokens):
        rows.append(_run(loaded, other, ids[None]))
        step(index + 1)
    axes = {"log_drift": 1, "drift_first": 1, "entry": 0, "kl": 0, "nll_increase": 0, "flips": 0}
    joined = {name: np.stack([each[name] for each in rows], axis) for name, axis in axes.items()}
    return Cumulative(**joined | {"drift_first": joined["drift_first"].mean(1)})


def _run(loaded: Loaded, other: Loaded, ids: Tensor) -> dict[str, np.ndarray]:
    """One sequence. ids: (1, tokens)."""
    clean, run = (each.record(ids) for each in (loaded, other))
    last = clean[-1].exit
    reader = Reader(len(clean), 1, last.device)
    for layer, (call, changed) in enumerate(zip(clean, run, strict=True)):
        reader.read(0, layer, changed.exit.to(last.device), call.exit)
    read_at = harm_tokens(ids.shape[1], 1)
    dense = Dense(tail(loaded.model, clean, last)[:, read_at], ids[:, read_at + 1].to(last.device))
    harm = dense.harm(tail(other.model, run, run[-1].exit)[:, read_at].to(last.device))
    drift = reader.result()
    before = [calls[0].entry.float().to(last.device) for calls in (clean, run)]
    entry = ((before[1] - before[0]).norm(dim=-1) / before[0].norm(dim=-1))[0, 1:].mean()
    row = {"log_drift": drift.log_drift[0, :, 0], "drift_first": drift.drift_first[0], "entry": float(entry)}
    names = ("kl", "nll_increase", "flips")
    return row | {name: each[0].double().cpu().numpy() for name, each in zip(names, harm, strict=True)}
