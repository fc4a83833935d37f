"""Pass 1: the clean run, and the moments that pruners and noise need."""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy

from core.base import UserError
from core.measure.perturb import Moments
from core.methods import MOMENTS, Statistic
from core.models import Call, Loaded, Step, anatomy, entered, tail
from core.prune import Sums, watched
from core.store import Activation


def clean_statistics(
    loaded: Loaded, tokens: Tensor, wanted: Collection[Statistic], needs_covariance: bool, step: Step
) -> tuple[Activation, Moments]:
    """Run the clean model over every sequence.

    Args:
        tokens: (sequences, length).
        wanted: statistics of the linears' inputs that pruners of residuals need; second moments stay on the CPU.
            With `none` nothing is collected, but the layers must be prunable.
        needs_covariance: collect the residual stream's covariance, for covariance noise.
        step: called with how many sequences are finished.

    Raises:
        UserError: a statistic is wanted and the layers cannot be pruned; or the clean run is not finite.
    """
    home = torch.device("cpu")
    watching = (
        [(layer, anatomy.prunable_linears(layer), Sums(wanted, home)) for layer in loaded.layers] if wanted else []
    )
    width = loaded.config.get_text_config().hidden_size
    spread = [_Covariance(width) for _ in loaded.layers] if needs_covariance else []
    rows = defaultdict(list)
    for index, row in enumerate(tokens):
        with entered(watched(layer, stack, sums.add) for layer, stack, sums in watching):
            calls = loaded.record(row[None])
        for name, values in _stream_numbers(calls).items():
            rows[name].append(values)
        logits = tail(loaded.model, calls, calls[-1].exit)[0, :-1].float()
        rows["nll"].append(float(cross_entropy(logits, row[1:].to(logits.device))))
        for covariance, call in zip(spread, calls, strict=False):
            covariance.add(call.exit[0, 1:])
        step(index + 1)
    broken = ~np.isfinite(rows["norm"]).all(0)
    if broken.any():
        raise UserError(
            f"the clean run of {loaded.source.label} is not finite from layer {int(broken.argmax())} on: "
            f"in {loaded.spec.dtype} it overflows; use float32"
        )
    activation = Activation(**{name: np.stack(values, axis=-1) for name, values in rows.items()})
    names = {"norm", *MOMENTS}.intersection(wanted)
    inputs = {each: tuple(sums.of(each) for *_, sums in watching) for each in names}
    return activation, Moments(**inputs, root=tuple(each.root() for each in spread))


def _stream_numbers(calls: Sequence[Call]) -> dict[str, np.ndarray]:
    """Numbers of one sequence, each (layers,)."""
    rows = []
    for call in calls:
        before, after = call.entry[0].float(), call.exit[0].float()
        norm = after.norm(dim=-1)
        cosine = cosine_similarity(before, after, dim=-1)
        log_norm = norm[1:].cpu().double().log().mean()
        rows.append([float(each) for each in (norm[1:].mean(), log_norm, norm[0], 1 - cosine[1:].mean())])
    return dict(zip(("norm", "log_norm", "norm_first", "block_influence"), np.array(rows).T, strict=True))


class _Covariance:
    """Covariance of the residual stream after a layer, without position 0, centred."""

    def __init__(self, width: int):
        self.count = 0
        self.total = torch.zeros(width, dtype=torch.float64)
        self.products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, stream: Tensor) -> None:
        """stream: (tokens, width)."""
        stream = stream.float().cpu().double()
        self.count += len(stream)
        self.total += stream.sum(0)
        self.products.addmm_(stream.T, stream)

    def root(self) -> Tensor:
        """The symmetric square root of the covariance: unique, unlike its eigenvectors' signs."""
        mean = self.total / self.count
        covariance = self.products / self.count - torch.outer(mean, mean)
        values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
        scale = math.sqrt(max(float(values[-1]), 1e-300))  # only the direction counts: keep float32 in range
        return ((vectors * (values.clamp(min=0).sqrt() / scale)) @ vectors.T).float()
