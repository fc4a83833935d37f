"""Tiny models of a few families, made from configurations with seeded weights; each is built once per session."""

import gc
import tempfile
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from core.measure import Sweep
from core.models import Loaded, ProgressTracker, Source, Windows, anatomy, model_shape, silent, tokenizer_hash
from core.prune import Sums
from core.requests import Measurement, ModelSpec, ProfileSpec, TextSpec, methods_of, perturbation
from tests import families

gc.freeze()  # what is imported stays: every export collects garbage, and looks for it among the rest alone
torch.set_num_threads(1)  # products this small only wait for a second thread

FAMILIES = ("llama", "qwen2", "gemma2", "gpt2", "opt", "gpt_neox", "mixtral", "bloom")
PRUNABLE = tuple(family for family in FAMILIES if family != "mixtral")
ODD = "gemma4"  # beside them
LAYERS, WIDTH, VOCABULARY, LONGEST = 4, 32, families.VOCABULARY, families.LONGEST
SENTENCES = (
    "The heron stood in the shallow water and waited for the fish to forget that it was there.",
    "A ladder lent in spring comes back in autumn, if the lender remembers whose barn it leans on.",
    "Onions ask for patience: first they weep, then they sweeten, and at last they turn to gold.",
    "The clock on the town hall ran on gossip, a quarter of an hour ahead of every other clock.",
    "Nobody had folded the map the same way twice, and so every journey began with an argument.",
)
_kept = []  # folders that live as long as the session


def built(family, seed=0):
    """A new model of a family."""
    return filled(families.config(family, LAYERS, WIDTH), seed)


@torch.inference_mode(False)  # a test in inference mode may be the first to ask, and all others share the model
def filled(configuration, seed=0):
    """A new model with weights large enough for every layer to matter."""
    model = AutoModelForCausalLM.from_config(configuration).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(0.2 * noise if parameter.ndim > 1 else parameter + 0.1 * noise)
    return model


@cache
def tokenizer():
    """A byte-level BPE tokenizer trained on a few sentences."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="<s>")


def save_tiny(folder, family, seed=0):
    """Write a folder that loads: config.json, safetensors, tokenizer."""
    built(family, seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def llama(folder, width, layers, vocabulary=VOCABULARY):
    """Write a larger llama, a file for every layer or two of it."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=1024, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder, max_shard_size="40MB")
    tokenizer().save_pretrained(folder)
    return folder


def kept(name):
    """A new folder that lives as long as the session."""
    _kept.append(tempfile.TemporaryDirectory(prefix=f"tiny-{name}-"))
    return Path(_kept[-1].name)


@cache
def folder(family):
    """A folder of the family for tests that only read it."""
    return save_tiny(kept(family), family)


@cache
def loaded(family):
    """The family's model in memory; no test may leave it changed."""
    source = Source(f"tiny {family}", Path("nowhere"), None, f"tiny-{family}", None)
    model, spec = built(family), ModelSpec(content=source.content)
    return Loaded(tokenizer(), source, tokenizer_hash(tokenizer()), model.config, model, spec)


def fresh(family, dtype=torch.float32):
    """A model of the family that a test may change."""
    return replace(loaded(family), model=built(family).to(dtype))


def weights(of):
    """Every linear's weight as (out, in), copied, by `layer.name`."""
    return {
        f"{index}.{linear.name}": linear.weight.detach().clone()
        for index, layer in enumerate(of.layers)
        for linear in anatomy.prunable_linears(layer)
    }


def spoil_second_moments(monkeypatch):
    """Rounding may spoil a second moment; this spoils that of every mlp.down_proj on purpose.

    Its eigenvalues are 2.05 and -0.05 times the mean diagonal.
    """
    honest = Sums.of

    def spoilt(sums, statistic):
        found = honest(sums, statistic)
        if statistic != "second_moment":
            return found
        moment = found["mlp.down_proj"]
        one = torch.eye(len(moment))
        return {**found, "mlp.down_proj": moment.diagonal().mean() * (one + 1.05 * one.flip(0))}

    monkeypatch.setattr(Sums, "of", spoilt)


def shape(of):
    """The outline that a loaded model's files would show."""
    return model_shape.model_shape({name: tuple(tensor.shape) for name, tensor in of.model.state_dict().items()})


def text_file(folder, times=12):
    """A text source `file:PATH` of about 1,500 tokens."""
    path = folder / "text.txt"
    path.write_text("\n".join(SENTENCES * times), encoding="utf-8")
    return f"file:{path}"


def windows(sequences=4, length=16, seed=0):
    """Windows of random tokens, the same for every family."""
    tokens = torch.from_numpy(np.random.default_rng(seed).integers(0, VOCABULARY, (sequences, length)))
    begins = tuple((0, length * index) for index in range(sequences))
    read = {"content": f"random-{seed}", "tokenizer": "tiny", "packing": "joined", "bos": "protocol"}
    spec = TextSpec(**read, length=length, windows=begins)
    return Windows(spec, tokens, "random tokens", ())


@torch.inference_mode()
def inputs(of, tokens):
    """What every linear reads in a plain forward of the whole model: (layer, name) -> (tokens, in), in float64."""
    found = {}
    handles = [
        linear.module.register_forward_pre_hook(
            lambda _, args, at=(index, linear.name): found.update({at: args[0].double().flatten(0, -2)})
        )
        for index, layer in enumerate(of.layers)
        for linear in anatomy.linears(layer)
    ]
    of.model(input_ids=tokens, use_cache=False)
    for handle in handles:
        handle.remove()
    return found


def measurement(name, seed=0):
    """`gaussian:0.3` -> a measurement."""
    return Measurement(perturbation=perturbation(name), seed=seed)


def profile(of, text, *names):
    """The profile of some perturbations."""
    asked = tuple(map(measurement, names))
    return ProfileSpec(model=of.spec, text=text.spec, measurements=asked, methods=methods_of(asked))


def sweep(
    of, text, asked, store, report = silent,
    engine = "wavefront", **others,
):  # fmt: skip
    """A sweep on the CPU, not yet run, and the checkpoints that it compares by their name."""
    return Sweep(of, text, asked, store, shape(of), ProgressTracker(report), engine, others=others)


def assert_close(one, other, about="", rtol=0.0, atol=0.0):
    """Every array of two results is the same, or nearly."""
    for each in fields(one):
        found, expected = getattr(one, each.name), getattr(other, each.name)
        np.testing.assert_allclose(found, expected, rtol, atol, err_msg=f"{each.name} {about}")


def state(model):
    """A copy of every weight and buffer."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    """True if two states hold the same tensors, bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(each, other[name]) for name, each in one.items())


@contextmanager
def untouched(model):
    """What is done inside leaves the model as it was."""
    before = state(model)
    yield
    assert_untouched(model, before)


def assert_untouched(model, before):
    """The weights are bit-identical to before, and no hook or forward override is left."""
    assert same(model.state_dict(), before)
    for name, module in model.named_modules():
        assert not module._forward_hooks, f"a forward hook is left on {name}"
        assert not module._forward_pre_hooks, f"a forward pre-hook is left on {name}"
        assert "forward" not in vars(module), f"forward is overridden on {name}"
