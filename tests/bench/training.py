"""Seconds and memory of training the bundled model whole: `python -m tests.bench.training [STEPS]`, one thread.

A line for each precision of the products: tokens a second, FLOP/s against those of one matrix product of the model's
size, and the peak of memory against what was told before.
"""

import resource
import sys
import time

import torch

from core.methods.distillation import TOKENS_PER_STEP
from core.methods.masked_weights import MaskedWeights, take_step
from core.models import losses, memory
from core.models.loading import load
from core.models.model_shape import model_shape
from core.models.placement import checkpoint_tensors
from core.models.sources import locate
from core.models.windows import windows
from core.prune.distillation import Distillation, trainable_weights
from core.requests.inputs import WindowRequest
from core.store.cache import Store

SPARSITY = 0.7
PASSES = 10  # FLOP a token and parameter: forward, once more of what was not kept, backward, and the dense model's head


def main(steps="2"):
    torch.set_num_threads(1)
    loaded = load(locate("demo", Store()), "float32", Store())
    tokens = windows(WindowRequest(source="demo", sequences=4, length=512), loaded).tokens
    reference = losses.reference(loaded, tokens)
    for weight in trainable_weights(loaded.layers, False):
        least = weight.detach().abs().flatten().kthvalue(int(SPARSITY * weight.numel())).values
        weight.detach().masked_fill_(weight.abs() <= least, 0)
    shape = model_shape({name: tuple(each.shape) for name, each in checkpoint_tensors(loaded.model).items()})
    told = memory.training_bytes(shape, SPARSITY, tokens.numel(), "float32") + memory.weight_bytes(
        shape, "float32", False
    )
    for dtype in ("float32", "bfloat16"):
        course = Distillation(loaded, MaskedWeights(trainable_weights(loaded.layers, False)), tokens, reference, dtype)

        def step(course=course):
            course.gradient(0)
            take_step(course.masked, course.optimizer, 1e-5)

        step()  # what is set up once
        token = best_of(int(steps), step) / TOKENS_PER_STEP
        rate, product = PASSES * shape.parameters / token, products(dtype)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            f"{dtype}: {1 / token:.0f} tokens/s, {token * 1e3:.2f} ms/token, {rate / 1e9:.0f} of {product / 1e9:.0f} "
            f"GFLOP/s ({rate / product:.0%}); peak {peak / 2**30:.2f} GiB, told {(told + memory.PROCESS) / 2**30:.2f}",
            flush=True,
        )


def best_of(times, call):
    """Seconds of processor time of a call, the least of some: others may share the machine."""
    found = []
    for _ in range(times):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    return min(found)


def products(dtype, size=2048):
    """FLOP/s of a product of square matrices."""
    each = torch.randn(size, size, dtype=getattr(torch, dtype))
    return 2 * size**3 / best_of(6, lambda: each @ each)


if __name__ == "__main__":
    main(*sys.argv[1:])
