"""Compare a perturbed stream with the clean one, layer by layer, and its logits at the end."""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.replay import by_tokens
from core.store.results import Perturbed, axes_of


class Reader:
    """Collects the readings of one measurement on one group of sequences; numbers stay on the device until the end."""

    def __init__(self, layers: int, sequences: int, device: torch.device):
        self.layers = layers
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        shape = {"injection": layers, "read": layers, "sequence": sequences}
        self.values = {
            name: torch.full([shape[axis] for axis in axes], torch.nan, dtype=wide, device=device)
            for name, axes in axes_of(Perturbed).items()
        }
        self.first: dict[int, Tensor] = {}
        self.sizes: dict[int, Tensor] = {}  # read layer -> squared norms of the clean stream, (sequences, tokens)
        self.room: Tensor | None = None  # memory for the change of a stream, taken once: it costs more than its reading

    def read(self, injection: int, layer: int, stream: Tensor, clean: Tensor) -> None:
        """Read drift at a layer. stream, clean: (sequences, tokens, width)."""
        damage, size, along = self._products(layer, stream.float(), clean.float())
        drift = (damage / size).sqrt()
        cosine = (size + along) / (size * (size + 2 * along + damage)).sqrt()
        orthogonal = (1 - along.square() / (damage * size)).clamp(min=0).sqrt()
        cell = (injection, layer)
        self.values["log_drift"][cell] = drift[:, 1:].log().mean(1)
        self.values["drift"][cell] = drift[:, 1:].mean()
        self.values["drift_first"][cell] = drift[:, 0].mean()
        self.values["cosine"][cell] = cosine[:, 1:].mean()
        self.values["orthogonal"][cell] = orthogonal[:, 1:].nanmean()
        if layer == injection:
            self.first[injection] = drift
        if layer == self.layers - 1:
            self._last(injection, drift[:, 1:], (drift / self.first.pop(injection))[:, 1:])

    def _products(self, layer: int, stream: Tensor, clean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Per token, (sequences, tokens): products of the change with itself, of the clean stream, and of the two."""
        wide = self.values["log_drift"].dtype
        if layer not in self.sizes:
            self.sizes[layer] = (clean * clean).sum(-1, dtype=wide)
        if self.room is None or self.room.shape[1:] != clean.shape:
            self.room = clean.new_empty(2, *clean.shape)
        change = torch.sub(stream, clean, out=self.room[0])
        along = torch.mul(change, clean, out=self.room[1]).sum(-1, dtype=wide)
        return change.mul_(change).sum(-1, dtype=wide), self.sizes[layer], along

    def _last(self, injection: int, drift: Tensor, ratio: Tensor) -> None:
        self.values["final_squared"][injection] = drift.square().mean(1)
        self.values["ratio"][injection] = ratio.nanmean(1)
        for share in (25, 50, 75):
            self.values[f"ratio_q{share}"][injection] = ratio.nanquantile(share / 100, dim=1)

    def harm(self, injection: int, logits: Tensor, dense: Dense) -> None:
        """Read what the output suffers. logits: (sequences, read tokens, vocabulary)."""
        for name, found in zip(("kl", "nll_increase", "flips"), dense.harm(logits), strict=True):
            self.values[name][injection] = found.to(self.values[name].dtype).mean(1)

    def result(self) -> Perturbed:
        """Everything read, in float64 on the CPU."""
        return Perturbed(**{name: value.cpu().double().numpy() for name, value in self.values.items()})


class Dense:
    """The clean model's next-token distribution at the read tokens."""

    def __init__(self, logits: Tensor, targets: Tensor):
        """logits: (sequences, read tokens, vocabulary); targets: (sequences, read tokens) ids."""
        self.log_p = logits.float().log_softmax(-1)
        self.p = self.log_p.exp()
        self.top = self.log_p.argmax(-1)
        self.targets = targets.unsqueeze(-1)

    def harm(self, logits: Tensor) -> tuple[Tensor, ...]:
        """What every read token suffers: divergence and rise of the loss, nats, and whether its likeliest word changed.

        Args:
            logits: (sequences, read tokens, vocabulary).

        Returns:
            Three times (sequences, read tokens).
        """
        return by_tokens(_suffered, logits, self.log_p, self.p, self.top, self.targets)


def _suffered(logits: Tensor, dense_log_p: Tensor, dense_p: Tensor, top: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    wide = torch.float32 if logits.device.type == "mps" else torch.float64  # MPS has no float64
    log_p = logits.float().log_softmax(-1)
    divergence = (dense_p * (dense_log_p - log_p)).sum(-1, dtype=wide)
    loss = dense_log_p.gather(-1, targets) - log_p.gather(-1, targets)
    return divergence, loss.squeeze(-1), log_p.argmax(-1) != top


def harm_tokens(length: int, stride: int) -> Tensor:
    """Positions where harm is read: 1, 1 + stride, ... up to the last that has a next token."""
    return torch.arange(1, length - 1, stride)
