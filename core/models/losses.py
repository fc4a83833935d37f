"""Perplexity by the protocol of SparseGPT and Wanda, and how far a model has moved from its dense self.

Full windows without overlap, mean loss per window, the exponential of their mean. Divergence and agreement are read on
the same windows. The dense model need not be at hand: its last residual stream is, and the final norm and the head,
which no pruner touches, turn that into its logits.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.base import Array
from core.models.loading import Loaded
from core.models.progress import Step
from core.models.replay import Call, by_tokens, record, tail
from core.store import Losses

BATCH = 2048  # tokens per forward
NOT_COUNTED = np.empty((0, 0))  # zeros of the linears
CHUNK = 128  # tokens whose logits are held at once, for the model and for its dense self


@torch.inference_mode()
def reference(loaded: Loaded, tokens: Tensor, step: Step = lambda _: None) -> Tensor:
    """The last layer's output of the dense model, (windows, length, width), on the CPU in the model's dtype.

    Args:
        tokens: (windows, length).
        step: called with the number of finished windows.
    """
    streams = []
    for part in tokens.split(windows_per_batch(tokens)):
        streams.append(last_stream(loaded, part.to(loaded.model.device)).cpu())
        step(sum(map(len, streams)))
    return torch.cat(streams)


@torch.inference_mode()
def evaluate(
    loaded: Loaded,
    tokens: Tensor,
    reference: Tensor,
    step: Step = lambda _: None,
    dense: bool = False,
    zeros: Array = NOT_COUNTED,
) -> Losses:
    """Loss of each window, and what separates the model from its dense self.

    Args:
        tokens: (windows, length), two tokens or more.
        reference: from `reference`, for the dense model on the same tokens.
        step: called with the number of finished windows.
        dense: True for the dense model, whose own streams the reference is: its layers are not run again.
        zeros: (layers, linears) fraction of zeros, kept beside the losses.
    """
    size = windows_per_batch(tokens)
    calls = loaded.record(tokens[:1, :2])  # only for the form of the outputs
    rows = []
    for start in range(0, len(tokens), size):
        beside = reference[start : start + size]
        ids = tokens[start : start + size].to(loaded.model.device)
        rows.append(_read(loaded, calls, ids, beside if dense else last_stream(loaded, ids), beside))
        step(start + rows[-1].shape[1])
    return Losses(*np.concatenate(rows, axis=1), zeros)


def windows_per_batch(tokens: Tensor) -> int:
    """Number of windows per forward."""
    return max(1, BATCH // tokens.shape[1])


def last_stream(loaded: Loaded, ids: Tensor) -> Tensor:
    """Output of the last decoder layer, before the final norm; the base model spares the head."""
    return record(loaded.model.base_model, loaded.layers[-1:], ids)[0].exit


def _read(loaded: Loaded, calls: Sequence[Call], ids: Tensor, stream: Tensor, dense: Tensor) -> Array:
    """(3, windows): mean loss, divergence and agreement of one batch of windows by its last-layer streams.

    Args:
        ids: (windows, length).
        stream, dense: (windows, length, width) of the model, and of its dense self: one tensor for the dense model,
            whose head runs once then.
    """
    last, width = ids.shape[1] - 1, max(1, CHUNK // len(ids))
    rows, unlike = [], (stream,) if stream is dense else (stream, dense)
    for start in range(0, last, width):
        here = slice(start, min(start + width, last))
        streams = [each[:, here].to(loaded.model.device) for each in unlike]
        logits, *beside = (tail(loaded.model, calls, each).float() for each in streams)
        losses = torch.stack(by_tokens(_losses, logits, ids[:, here.start + 1 : here.stop + 1, None], *beside))
        rows.append(losses.cpu().double())  # the CPU first: not every device has float64
    return torch.cat(rows, dim=-1).mean(-1).numpy()


def _losses(logits: Tensor, targets: Tensor, dense: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of every token, and divergence from and agreement with the dense model's logits; None: they are these."""
    log_q = logits.log_softmax(-1)
    nll = -log_q.gather(-1, targets).squeeze(-1)
    if dense is None:
        none = nll - nll  # NaN where the loss is not finite
        return nll, none, none + 1
    log_p = dense.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    agree = (log_p.argmax(-1) == log_q.argmax(-1)).to(nll.dtype)
    return nll, kl, torch.where(kl.isnan(), kl, agree)  # nothing is likeliest among NaN


@torch.inference_mode()
def first_broken(loaded: Loaded, tokens: Tensor, losses: Array) -> int | None:
    """The layer that breaks first on the first window without a finite loss; None where all losses are finite.

    Args:
        tokens: (windows, length).
        losses: (windows,).

    Returns:
        The number of layers where what comes after them breaks.
    """
    wrong = np.flatnonzero(~np.isfinite(losses))
    if not wrong.size:
        return None
    window = tokens[wrong[0]]
    finite = [bool(torch.isfinite(call.exit).all()) for call in loaded.record(window[None])]
    return finite.index(False) if False in finite else len(finite)
