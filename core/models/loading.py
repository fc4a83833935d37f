"""From files to a checked model in memory."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import math
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from core.ask.inputs import Dtype, ModelSpec
from core.base.errors import UserError, out_of_memory
from core.base.escape import brief
from core.base.formats import gist
from core.models import anatomy, layer_files, machine, placement, replay
from core.models.layer_files import by_layers, refuse_incomplete, save
from core.models.outline import parsed_once, safetensors_shapes
from core.models.placement import pieces
from core.models.sources import Source, shapes_of
from core.models.work import BYTES, refuse_too_large
from core.store.cache import Store
from core.store.files import stamp

LOG = logging.getLogger(__name__)
SIZES = (  # of config.json: no larger than the longest side of a weight
    "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "intermediate_size", "vocab_size",
)  # fmt: skip
SIGNS = "".join(
    sign * 30 + " " for sign in string.printable + "\u00e9\u6f22\U0001f600\U0010fffd"
)  # the last has no meaning
PATIENCE = 12  # seconds for these
PANIC = "PanicException"  # of a library in Rust: no Exception
PROJECT = Path(__file__).resolve().parent.parent.parent
STREAM = 3  # axes of a residual stream: sequences, tokens, width
POSITIONS = ("max_position_embeddings", "max_seq_len")  # of config.json: most tokens, by one of these names
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True, eq=False)
class Reader:
    """What is known of a model before its weights are read: enough to draw windows of a text."""

    tokenizer: PreTrainedTokenizerBase
    source: Source
    tokenizer_hash: str
    longest: int | None  # most tokens its positions allow, or None where they are unlimited
    vocabulary: int  # tokens that it has an embedding for


def accepted(_: Reader) -> None:
    """Nothing is refused before the weights are read."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in evaluation mode, ready to be measured."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: Source
    spec: ModelSpec
    tokenizer_hash: str

    @property
    def layers(self) -> torch.nn.ModuleList:
        return anatomy.decoder_layers(self.model)

    @property
    def longest(self) -> int | None:
        """Most tokens its positions allow, or None where they are unlimited."""
        return _longest(self.model.config)

    @property
    def untold_tokenizer(self) -> str | None:
        """The hash of its tokenizer, where its content does not tell it."""
        return None if self.source.tells_tokenizer else self.tokenizer_hash

    @property
    def vocabulary(self) -> int:
        """Tokens that it has an embedding for."""
        return _vocabulary(self.model.config)


def _vocabulary(config: Any) -> int:
    return config.get_text_config().vocab_size


def _longest(config: Any) -> int | None:
    told = config.get_text_config()
    return next(filter(None, (getattr(told, name, None) for name in POSITIONS)), None)


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """The tokenizer alone, after it has encoded every kind of sign.

    Raises:
        UserError: there is none that can be read, or it fails.
    """
    try:
        for path in sorted(source.folder.glob("tokenizer.*json")):
            _try_apart(*stamp(path))
        tokenizer = AutoTokenizer.from_pretrained(source.folder, **_where(source))
        tokenizer(SIGNS)
    except BaseException as error:  # whatever a damaged file makes the libraries stumble over
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        raise UserError(f"{source.label} has no tokenizer that can be read: {gist(error)}") from error
    return tokenizer


@cache
def _try_apart(path: str, *_: object) -> None:
    """Encode every kind of sign in a process of its own.

    Args:
        _: what tells that the file is still the same.

    Raises:
        ValueError: it takes too long or too much memory, or fails.
    """
    command = [sys.executable, "-m", "core.models.foreign_code", str(Path(path).absolute())]
    try:
        subprocess.run(command, cwd=PROJECT, input=SIGNS.encode(), capture_output=True, timeout=PATIENCE, check=True)
    except subprocess.SubprocessError as error:
        said = (error.stderr or b"it takes too much time or memory").decode(errors="replace").splitlines()[-1]
        raise ValueError(f"{Path(path).name} fails on a few words ({said})") from error


def load(
    source: Source,
    dtype: Dtype = "float32",
    store: Store | None = None,
    check: Callable[[Reader], None] = accepted,
) -> Loaded:
    """Load and check a model on the CPU.

    Args:
        store: where a converted copy of a GGUF file is looked for, and kept; the numbers are the same without.
        check: refuses, before the weights are read, what cannot be met whatever they are.

    Raises:
        UserError: an architecture that cannot be measured, as one of several residual streams; incomplete or damaged
            weights, NaN in them.
    """
    with parsed_once():
        return _load(source, dtype, store, check)


def _load(source: Source, dtype: Dtype, store: Store | None, check: Callable[[Reader], None]) -> Loaded:
    files = quick(source, store)
    config = _config(files)
    if store:
        _check_sizes(config, source, store)
    tokenizer = load_tokenizer(files)
    check(Reader(tokenizer, source, tokenizer_hash(tokenizer), _longest(config), _vocabulary(config)))
    if store:
        refuse_too_large(source, dtype, store)
    model = read(files, config, dtype, store) if source.initialised is None else _initialised(source, config, dtype)
    model.eval().requires_grad_(False)
    if files is source or source.initialised is not None or dtype != "float32":
        _check(model, source)  # what is read from a copy was checked before that was written
    spec = ModelSpec(content=source.content, initialised=source.initialised, dtype=dtype)
    loaded = Loaded(model, tokenizer, source, spec, tokenizer_hash(tokenizer))
    if store and files.gguf and source.initialised is None and dtype == "float32":
        _keep(loaded, store)
    return loaded


def quick(source: Source, store: Store | None) -> Source:
    """The files that are fastest to read: the converted copy of a GGUF where there is one, else the source's own."""
    copy = layer_files.kept_copy(source, store) if store else None
    return replace(source, folder=copy, gguf=None) if copy else source


def _keep(loaded: Loaded, store: Store) -> None:
    """Write a converted copy that reads back the same, bit by bit; nothing where the cache cannot take it."""
    size = sum(value.numel() * value.element_size() for value in loaded.model.parameters())
    if not layer_files.room_for_copy(store, size):
        return
    try:
        with layer_files.writing_copy(loaded.source, store) as folder:
            save(loaded.model, loaded.layers, loaded.tokenizer, folder)
            if not _same(loaded, replace(loaded.source, folder=folder, gguf=None)):
                raise OSError(f"the copy of {loaded.source.label} is not what was read")
    except OSError as error:  # the model is loaded all the same, only slowly again the next time
        LOG.warning("no converted copy of %s is kept: %s", loaded.source.label, error)


def _same(loaded: Loaded, copy: Source) -> bool:
    weights = _trained(copy, "float32").state_dict()
    own = loaded.model.state_dict()
    alike = weights.keys() == own.keys() and all(torch.equal(own[name], weights[name]) for name in own)
    return alike and tokenizer_hash(load_tokenizer(copy)) == loaded.tokenizer_hash


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of everything that decides how a text becomes ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:  # how it cuts and fills is set anew by every call
        backend.no_truncation()
        backend.no_padding()
    text = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _where(source: Source) -> dict[str, Any]:
    return {"local_files_only": True, "trust_remote_code": False} | ({"gguf_file": source.gguf} if source.gguf else {})


def _config(source: Source) -> Any:
    try:
        config = AutoConfig.from_pretrained(source.folder, **_where(source))
    except Exception as error:  # whatever a stranger's settings make the libraries stumble over
        raise UserError(f"{source.label} cannot be read as a model: {gist(error)}") from error
    if config.is_encoder_decoder:
        raise UserError(f"{source.label} is an encoder-decoder ({config.model_type}): only decoders can be measured")
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserError(f"{source.label} is a {config.model_type} model, which has no causal language-model decoder")
    return config


def _check_sizes(config: Any, source: Source, store: Store) -> None:
    """Refuse sizes that the weights in the files cannot have, before a model of these sizes is built."""
    shapes = [shape for path in source.weights for shape in shapes_of(path, store).values()]
    told = config.get_text_config()
    layers = getattr(told, "num_hidden_layers", 0)
    if not isinstance(layers, int) or not 0 < layers <= len(shapes):
        raise UserError(f"{source.label} announces {brief(layers)} layers, and its files hold {len(shapes)} tensors")
    longest = max((size for shape in shapes for size in shape), default=0)
    for name in SIZES:
        size = getattr(told, name, None)
        if isinstance(size, int) and size > longest:
            raise UserError(f"{source.label} announces {name} {brief(size)}, and its longest weight has {longest} rows")


def read(source: Source, config: Any, dtype: Dtype, store: Store | None) -> PreTrainedModel:
    """A model with the weights of its files; its layers stay there if memory does not hold them.

    Raises:
        UserError: incomplete or damaged weights.
    """
    if source.gguf is None:
        shapes = [safetensors_shapes(path) for path in source.weights]
        size = BYTES[dtype] * sum(math.prod(shape) for file in shapes for shape in file.values())
        if size > machine.HEADROOM * placement.free_memory(torch.device("cpu")):
            return by_layers(source, config, getattr(torch, dtype), store)
    return _trained(source, dtype)


def _dense(source: Source) -> dict[str, Any]:
    """What asks for quantised weights as the dense ones they stand for.

    Raises:
        UserError: nobody offers that for their format, or the library of the format is not installed.
    """
    method = (getattr(_config(source), "quantization_config", None) or {}).get("quant_method")
    if method is None:
        return {}
    kind = AUTO_QUANTIZATION_CONFIG_MAPPING.get(method)
    if kind is None or "dequantize" not in inspect.signature(kind).parameters:
        raise UserError(
            f"{source.label} has weights quantised by {brief(method)}, which transformers does not turn into dense "
            "ones: give a dense export, one by compressed-tensors, or a .gguf file"
        )
    try:
        return {"quantization_config": kind(dequantize=True)}
    except ImportError as error:
        raise UserError(
            f"{source.label} has weights quantised by {method}, whose library is missing: run `pip install {method}`"
        ) from error


def _trained(source: Source, dtype: Dtype) -> PreTrainedModel:
    try:
        safe = {} if source.gguf else {"use_safetensors": True} | _dense(source)
        model, info = AutoModelForCausalLM.from_pretrained(
            source.folder,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **safe,
            **_where(source),
        )
    except UserError:
        raise
    except Exception as error:  # settings that fit no weights, a format whose library is not here, damaged files
        if out_of_memory(error):
            raise
        raise UserError(f"the weights of {source.label} cannot be loaded: {gist(error)}") from error
    refuse_incomplete(source, [key for key, *_ in info["mismatched_keys"]], info["missing_keys"])
    return model


def _initialised(source: Source, config: Any, dtype: Dtype) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.initialised)
        return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))


def _check(model: PreTrainedModel, source: Source) -> None:
    for piece in pieces(model, anatomy.decoder_layers(model)):
        for name, value in piece.items():
            if not torch.isfinite(value).all():
                raise UserError(f"{source.label} holds NaN or infinite weights, in {name}: the files are damaged")
    ids = torch.tensor([[1, 2]], device=model.device) % _vocabulary(model.config)
    if replay.entry(model, anatomy.decoder_layers(model)[0], ids).dim() != STREAM:
        raise UserError(
            f"{source.label} ({type(model).__name__}) carries several residual streams side by side: only models with "
            "one can be measured"
        )
    if not anatomy.is_causal(model):
        raise UserError(
            f"{source.label} ({type(model).__name__}) lets tokens see later ones, as encoders do: only decoders can "
            "be measured"
        )
