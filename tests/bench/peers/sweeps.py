"""The wavefront beside a loop over hooks, nnsight and TransformerLens: every layer of a text damaged once.

All see the same model, tokens and damaged streams, and read the same of them: the drift at every later layer, and the
harm to the output. Only how the damaged streams are run on differs.
"""

import copy
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import nnsight
import numpy as np
import torch
from transformer_lens.model_bridge import TransformerBridge

from core.measure import Moments, Reader, perturbed, prepare, wavefront
from core.methods import Gaussian
from core.models import machine, save, stream_of
from core.requests import Measurement, workload
from tests.bench.peers.timing import in_turn, ratio, short

NOISE = Measurement(perturbation=Gaussian(size=0.3))
STRIDE = machine.HARM_STRIDE


class Case:
    """A text, its clean run, and what leaves every layer once it is damaged."""

    def __init__(self, loaded, tokens):
        group = self.group = prepare(loaded, tokens, range(len(tokens)), Moments(), STRIDE)
        self.damaged = [perturbed(NOISE, at, call, group.sequences, Moments()) for at, call in enumerate(group.calls)]

    def read(self, forward):
        """What the product reads of another's: injection layer -> streams from there on by layer, and all logits."""
        group = self.group
        reader = Reader(len(group.calls), len(group.sequences), group.loaded.model.device)
        for injection in range(len(group.calls)):
            streams, logits = forward(injection)
            for layer in range(injection, len(group.calls)):
                reader.read(injection, layer, streams[layer], group.calls[layer].exit)
            reader.harm(injection, logits[:, group.read_at], group.dense)
        return reader.result()


def hooked(case, injection):
    """A full forward under PyTorch's own hooks."""
    streams = {}

    def hook(layer, output):
        streams[layer] = case.damaged[layer] if layer == injection else stream_of(output)
        return case.group.calls[layer].output(streams[layer])

    with ExitStack() as stack:
        for at, call in enumerate(case.group.calls):
            added = call.layer.register_forward_hook(lambda _m, _a, output, at=at: hook(at, output))
            stack.callback(added.remove)
        return streams, case.group.loaded.model(input_ids=case.group.ids, use_cache=False).logits


def traced(case, model, injection):
    """The same through nnsight."""
    layers = range(injection, len(case.group.calls))
    with model.trace(case.group.ids, use_cache=False):
        model.model.layers[injection].output[:] = case.damaged[injection]
        streams = nnsight.save([model.model.layers[layer].output for layer in layers])
        logits = nnsight.save(model.lm_head.output)
    return dict(zip(layers, streams, strict=True)), logits


def bridged(case, model, injection):
    """The same through TransformerLens."""
    streams = {}

    def hook(stream, hook, layer):
        streams[layer] = case.damaged[layer] if layer == injection else stream
        return streams[layer]

    layers = range(injection, len(case.group.calls))
    hooks = [(f"blocks.{layer}.hook_resid_post", partial(hook, layer=layer)) for layer in layers]
    return streams, model.run_with_hooks(case.group.ids, fwd_hooks=hooks, return_type="logits")


@contextmanager
def bridge(loaded):
    """The model as TransformerLens loads it."""
    with tempfile.TemporaryDirectory() as folder:
        save(loaded.model, loaded.tokenizer, Path(folder))
        yield TransformerBridge.boot_transformers(folder, device="cpu", dtype=torch.float32)


@torch.inference_mode()
def table(loaded, shape, tokens, rounds):
    """A row per contender, and one for the bare layers; the first row is the heads."""
    case, sizes = Case(loaded, tokens), tokens.shape
    wrapped = nnsight.NNsight(copy.deepcopy(loaded.model))  # a copy: it leaves a forward of its own in every module
    with bridge(loaded) as lens:
        ran = in_turn(
            {
                "this product": lambda: wavefront(case.group, NOISE, lambda _: None),
                "hooks, layer by layer": lambda: case.read(partial(hooked, case)),
                "nnsight": lambda: case.read(partial(traced, case, wrapped)),
                "TransformerLens": lambda: case.read(partial(bridged, case, lens)),
                "the layers alone": lambda: bare(case),
            },
            rounds,
        )
    own, alone = ran["this product"], ran.pop("the layers alone")
    rows = [[name, f"{each.median:.2f}", f"{ratio(each, own):.2f}", *apart(each, own)] for name, each in ran.items()]
    swept, once = workload.measurement(shape, NOISE, sizes.numel()), sizes.numel()
    rate = swept / once / ratio(own, alone)
    limit = shape.layers * once / swept
    rows.append(["arithmetic limit over the loop", "", f"{limit:.2f}", "", ""])
    rows.append(["share of the bare layers' FLOP/s", f"{alone.median:.2f}", f"{rate:.2f}", "", ""])
    return [["", "seconds", "times this product", "drift apart by", "divergence apart by"], *rows]


def bare(case):
    """Every layer once on its clean stream, nothing read: what the machine gives to the layers."""
    for call in case.group.calls:
        call(call.entry)


def apart(one, own):
    """The largest relative difference of the drift, and the largest difference of the divergence, nats."""
    drift = np.nanmax(np.abs(one.found.drift / own.found.drift - 1))
    return short(drift), short(np.nanmax(np.abs(one.found.kl - own.found.kl)))
