"""Sentences on where another checkpoint went wrong: settings that differ, and the worst tensors."""

from core.base import digits, per_cent
from core.results import Compared, Suspect, suspects

WORST = 3


def culprits(comparison: Compared) -> list[str]:
    """Settings that decide what a model computes and differ, then the worst tensors, a sentence each.

    `blk.11.ffn_down: Q3_K, 31 % of the divergence; at Q5_K 9 %, 1.2 MB more.`
    """
    lines = [f"{name} differs ({values}), whatever the weights are." for name, values in comparison.settings.items()]
    harmful = (each for each in suspects(comparison) if each.alone)
    return lines + [_tensor(each) for each, _ in zip(harmful, range(WORST), strict=False)]


def _tensor(it: Suspect) -> str:
    odd = ", which stands out" * it.stands_out
    text = f"{it.name}: {f'{it.format}, ' if it.format else ''}{per_cent(it.share)} of the divergence{odd}"
    if finer := it.finer:
        text += f"; at {finer.format} {per_cent(finer.share)}, {digits(finer.bytes / 1e6)} MB more"
    return f"{text}; alone {digits(it.alone)} nats (KL)."
