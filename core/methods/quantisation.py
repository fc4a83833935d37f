"""Weights in few bits: integers by groups along the inputs, and the GGUF types, which ggml or `gguf` rounds to.

GPTQ is Frantar et al., arXiv 2210.17323.
"""

import re
from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

from core.base import UserError
from core.methods.selection import Tensor, Warn
from core.methods.sparsegpt import inverse_factor

HALF = 16  # bits of a dense weight, and of a scale
CLIPPED = tuple(share / 100 for share in range(95, 45, -5))  # of its range that a group may keep
FINEST = 16  # how many codes of its range a group may leave unused and still be known for what it is


class QuantFormat(NamedTuple):
    """A number format: a code for each weight, and a scale with a zero point, or a minimum, for each group.

    Integers are `scale * (code - zero)` with a zero point between the codes, so that a zero stays one, as
    compressed-tensors stores them; of symmetric ones it is the middle code. `Q4_0` and its like are llama.cpp's.
    """

    name: str
    bits: int  # of a code
    group: int  # weights in a row that share a scale
    beside: int  # bits of a group's zero point or minimum, or of what a super-block holds beside its own scale
    gguf: bool
    fallback: str = ""  # llama.cpp's choice for rows that no super-block divides

    @property
    def by_ggml(self) -> bool:
        """True if ggml alone rounds to it."""
        return self.name in _SUPER_BLOCKS

    @property
    def needs_importance(self) -> bool:
        """True if ggml rounds to it by an importance matrix alone."""
        return self.name.startswith("IQ2_X")

    @property
    def in_kquants(self) -> bool:
        """True for these and what rows get that no super-block divides."""
        return self.by_ggml or self.name in ("Q8_0", "Q5_1", "Q5_0", "Q4_0")

    @property
    def symmetric(self) -> bool:
        """True if all groups share one zero point, which is stored nowhere."""
        return not (self.gguf or self.beside)

    @property
    def bits_per_weight(self) -> float:
        """Bits of a weight with its share of scales, zero points or minima."""
        return self.bits + (HALF + self.beside) / self.group

    def on(self, width: int) -> "QuantFormat":
        """The format that rows of a width get: of K- and IQ-types that do not divide it, llama.cpp's fallback."""
        return QUANT_FORMATS[self.fallback] if self.fallback and width % self.group else self

    def check_width(self, width: int) -> None:
        """Refuse inputs that make no whole groups.

        Raises:
            UserError: names the forms that fit.
        """
        if width % self.group:
            fit = ", ".join(each.name for each in QUANT_FORMATS.values() if width % each.group == 0)
            right = f"these fit: {fit}" if fit else "no form fits, so that it must stay dense or get zeros"
            raise UserError(
                f"{self.name} does not fit its {width} inputs, which are no multiple of {self.group}: {right}"
            )


_INTEGERS = [
    QuantFormat(f"int{bits}g{group}{'s' * symmetric}", bits, group, 0 if symmetric else bits, False)
    for symmetric, bits, group in product((False, True), (2, 3, 4, 5, 6, 8), (32, 64))
]
_GGUF = [
    QuantFormat(f"Q{bits}_{kind}", bits, 32, HALF * kind, True)
    for bits, kind in ((4, 0), (4, 1), (5, 0), (5, 1), (8, 0))
]
# Bits of a code, weights of a block and its bytes (ggml-common.h), and the fallback (tensor_type_fallback of
# llama-quant.cpp, build 11434)
_SUPER_BLOCKS = {
    "Q6_K": (6, 256, 210, "Q8_0"), "Q5_K": (5, 256, 176, "Q5_1"), "Q4_K": (4, 256, 144, "Q5_0"),
    "Q3_K": (3, 256, 110, "Q4_0"), "Q2_K": (2, 256, 84, "Q4_0"), "IQ4_NL": (4, 32, 18, ""),
    "IQ4_XS": (4, 256, 136, "IQ4_NL"), "IQ3_S": (3, 256, 110, "IQ4_NL"), "IQ3_XXS": (3, 256, 98, "IQ4_NL"),
    "IQ2_S": (2, 256, 82, "IQ4_NL"), "IQ2_XS": (2, 256, 74, "IQ4_NL"), "IQ2_XXS": (2, 256, 66, "IQ4_NL"),
    "MXFP4": (4, 32, 17, ""),
}  # fmt: skip
_BY_GGML = [
    QuantFormat(name, bits, group, 8 * size - bits * group - HALF, True, fallback)
    for name, (bits, group, size, fallback) in _SUPER_BLOCKS.items()
]
QUANT_FORMATS = {each.name: each for each in (*_INTEGERS, *_GGUF, *_BY_GGML)}


def stored_as(name: str) -> tuple[float, int] | None:
    """Bits of a weight, scales included, and weights of a group, of a format that nothing here need write; or None."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if name in GGMLQuantizationType.__members__:
        weights, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
        return 8 * size / weights, weights
    match = re.fullmatch(r"int(\d)g(\d+)(s?)", name)
    if match is None:
        return None
    bits, group = int(match[1]), int(match[2])
    return bits + (HALF + bits * (not match[3])) / group, group


def finer_formats(name: str) -> list[str]:
    """Formats of the same kind with more bits, coarsest first, which fit wherever this one does."""
    bits, group = stored_as(name) or (HALF, 0)
    if name.startswith("int"):
        rows = [QUANT_FORMATS[f"int{width}g32s"] for width in (2, 3, 4, 8)]  # those of budgets
    else:
        usual = (each for each in QUANT_FORMATS.values() if each.gguf and not each.name.startswith("IQ"))
        rows = [each for each in usual if each.group == group or each.bits == 8]
    finer = [each for each in rows if each.bits_per_weight > bits + LITTLE]
    return [each.name for each in sorted(finer, key=lambda each: each.bits_per_weight)]


LITTLE = 0.4  # bits that make no finer format
OUTSIDE = "Q8_0"  # type of the embeddings, and of a head of its own, in a GGUF file whose linears have few bits


def outside_types(text: str) -> tuple[str, str]:
    """Types of the embeddings and of an output matrix of its own, of `Q6_K` for both or `Q4_K/Q6_K`."""
    embeddings, _, output = text.partition("/")
    return embeddings, output or embeddings


def gguf_type(exported: str) -> str | None:
    """The type of an export's linears, of a format as in `gguf:Q4_0`, or none named; None where it is no GGUF file."""
    return exported.removeprefix("gguf").removeprefix(":") if exported.startswith("gguf") else None


class Codes(NamedTuple):
    """A quantised weight: whole numbers, as float32."""

    codes: Tensor  # (out, groups, group), 0 to 2^bits - 1
    scales: Tensor  # (out, groups, 1), each a float16
    zeros: Tensor  # (out, groups, 1), the code of 0


def quantise(weight: Tensor, form: QuantFormat, importance: Tensor | None = None) -> Codes:
    """Round each group to its candidate grid of least error: one keeps the group's range, the others clip it.

    A weight that already lies on grids of the format comes back unchanged.

    Args:
        weight: (out, in).
        form: of integers.
        importance: (in,) what a squared error of an input's weights counts; None: all alike.

    Raises:
        UserError: the inputs make no whole groups.
    """
    import torch

    form.check_width(weight.shape[1])
    groups = weight.float().unflatten(1, (-1, form.group))
    price = None if importance is None else importance.float().view(-1, form.group).to(groups.device)
    unused = [(each, 1) for each in range(min(FINEST, 2 ** (form.bits - form.symmetric) - 1))]
    again = torch.equal(dequantise(_best(groups[:1], None, form, unused)), weight[:1].float())
    return _best(groups, price, form, [*(unused if again else [(0, 1)]), *((0, share) for share in CLIPPED)])


def _best(groups: Tensor, price: Tensor | None, form: QuantFormat, tried: Iterable[tuple[int, float]]) -> Codes:
    """Quantise each group with the candidate grid of least squared error.

    Args:
        tried: candidate grids, as codes left unused and the share of the group's range that is kept."""
    import torch

    low, high = groups.amin(-1, keepdim=True).clamp(max=0), groups.amax(-1, keepdim=True).clamp(min=0)
    least, scale, zero = torch.full_like(low, torch.inf), torch.zeros_like(low), torch.zeros_like(low)
    top, middle = 2**form.bits - 1, 2 ** (form.bits - 1)
    span, full = high - low, top
    if form.symmetric:  # the end that asks for the larger scale
        upper = high * middle >= -low * (middle - 1)
        span, full = high.where(upper, -low), torch.where(upper, middle - 1, middle)
    for left, share in tried:
        steps = (full - left) / share
        scales = (span / steps).half().float()
        if form.symmetric:
            zeros = torch.full_like(low, middle)
        else:
            zeros = (-low * min(steps, top) / span).nan_to_num_(0).round_()
        error = _snapped(groups, scales, zeros, top).mul_(scales).sub_(groups).square_()
        error = (error if price is None else error.mul_(price)).sum(-1, keepdim=True)
        better, least = error < least, torch.minimum(error, least)
        scale, zero = scales.where(better, scale), zeros.where(better, zero)
    return Codes(_snapped(groups, scale, zero, top).add_(zero), scale, zero)


def _snapped(groups: Tensor, scales: Tensor, zeros: Tensor, top: int) -> Tensor:
    """Codes relative to the code of 0."""
    codes = (groups * scales.reciprocal().nan_to_num_(0, 0, 0)).round_()
    return codes.add_(zeros).clamp_(0, top).sub_(zeros)  # bounds that are tensors would take as long as all the rest


def dequantise(codes: Codes) -> Tensor:
    """Decode to a weight, (out, in) float32."""
    return ((codes.codes - codes.zeros) * codes.scales).flatten(1)


def rounded(weight: Tensor, form: QuantFormat, importance: Tensor | None = None) -> Tensor:
    """Round a weight to a format, (out, in) float32: by `quantise`, or as a GGUF file holds it, see `ggml.pack`.

    Raises:
        UserError: the inputs make no whole groups; or as `ggml.pack`.
    """
    if not form.gguf:
        return dequantise(quantise(weight, form, importance))
    import torch

    from core.methods.ggml import pack

    form.check_width(weight.shape[1])
    price = None if importance is None else importance.numpy()
    packed = pack(weight.float().contiguous().cpu().numpy(), form.name, price)
    result: Any = torch.from_numpy(packed.values).to(weight.device)
    result.packed = packed  # for a file: most types give other codes for weights that are rounded already
    return result


def fed_back(weight: Tensor, form: QuantFormat, second_moment: Tensor, warn: Warn) -> Tensor:
    """Round column by column; columns to the right make up for the output error of each (GPTQ).

    A group's grid is chosen when it is reached, by the cost of an error to the outputs. Rows that plain rounding
    serves better keep it, so that no row's output error on the calibration text is larger for the feedback.

    Args:
        weight: (out, in).
        form: of integers.
        second_moment: (in, in) sum of x x^T over the calibration tokens; a common factor cancels.
        warn: told when the Cholesky factorisation fails and is tried again with more damping.

    Raises:
        UserError: the inputs make no whole groups.
        Broken: the second moment cannot be factorised.
    """
    import torch

    nearest = rounded(weight, form, second_moment.diagonal().to(weight.device))
    upper = inverse_factor(second_moment, warn).to(weight.device)
    columns = weight.T.to(torch.float32, copy=True, memory_format=torch.contiguous_format)  # (in, out)
    price = upper.diagonal() ** -2
    for first in range(0, len(columns), form.group):
        group = slice(first, first + form.group)
        inside, factor = columns[group], upper[group, group]
        _, scales, zeros = (each[:, 0].T for each in quantise(inside.T, form, price[group]))  # (1, out)
        errors = torch.empty_like(inside)
        for column, scale in enumerate(factor.diagonal()):
            snapped = _snapped(inside[column], scales[0], zeros[0], 2**form.bits - 1) * scales[0]
            errors[column] = (inside[column] - snapped) / scale
            inside[column + 1 :].addr_(factor[column, column + 1 :], errors[column], alpha=-1)
            inside[column] = snapped
        columns[group.stop :].addmm_(upper[group, group.stop :].T, errors, alpha=-1)
    moment = second_moment.to(weight.device, torch.float32)
    lost = (each - weight.float() for each in (columns.T, nearest))
    fed, without_feedback = ((each @ moment * each).sum(1, keepdim=True) for each in lost)
    return columns.T.where(fed <= without_feedback, nearest)
