"""Load a model from files and check it."""

import json
import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from core.base import UserError, brief, digest, frozen
from core.models import anatomy, replay
from core.models.folder_checks import SAMPLE_TEXT, tokenizer_trouble
from core.models.machine import refuse_too_large
from core.models.model_shape import gguf_positions, parsed_once, tensor_shapes
from core.models.patching import library_errors
from core.models.saving import MAX_COPY, fastest_source, save, write_copy
from core.models.sources import Source
from core.models.weights import load_in_memory, random_weights, read
from core.requests import Dtype, ModelSpec
from core.store import Store

LOG = logging.getLogger(__name__)
MAX_PACKED = 16  # numbers that one in the files may stand for
MAX_EXTRA = 2**28  # numbers that a model may have beside them
MOST_TOKENS = 2**24  # room is made for every id up to the highest
STREAM_AXES = 3  # axes of a residual stream: sequences, tokens, width
POSITIONS = ("max_position_embeddings", "max_seq_len")  # of config.json: most tokens, by one of these names


@frozen
class Reader:
    """A model before its weights are read: tokenizer and configuration, enough to draw windows of a text."""

    tokenizer: PreTrainedTokenizerBase
    source: Source
    tokenizer_hash: str
    config: Any

    @property
    def vocabulary(self) -> int:
        """Number of tokens with an embedding."""
        return self.config.get_text_config().vocab_size

    @property
    def longest(self) -> int | None:
        """Most tokens its positions allow, or None where they are unlimited."""
        text = self.config.get_text_config()
        limits = (getattr(text, name, None) for name in POSITIONS)
        return next((each for each in limits if each and isinstance(each, int)), None)


@frozen
class Loaded(Reader):
    """A model in evaluation mode, ready to be measured."""

    model: PreTrainedModel
    spec: ModelSpec

    @property
    def layers(self) -> torch.nn.ModuleList:
        return anatomy.decoder_layers(self.model)

    @property
    def outside(self) -> replay.Tensors:
        """Parameters outside the layers by name, tied ones once: embeddings, the final norm, the head."""
        inside = {id(each) for layer in self.layers for each in layer.parameters()}
        return {name: each for name, each in self.model.named_parameters() if id(each) not in inside}

    def record(self, ids: torch.Tensor, stream: torch.Tensor | None = None) -> list[replay.Call]:
        """The call of every layer in one forward, as `replay.record`; the ids may lie on any device."""
        return replay.record(self.model, self.layers, ids.to(self.model.device), stream)


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """The tokenizer alone, after it has encoded every kind of sign.

    Raises:
        UserError: there is none that can be read, or it fails.
    """
    says = f"{source.label} has no tokenizer that can be read"
    for path in sorted(filter(Path.is_file, source.folder.glob("tokenizer.*json"))):
        if trouble := tokenizer_trouble(str(path)):
            raise UserError(f"{says}: {path.name} fails on a few words ({trouble})")
    with library_errors(says):
        tokenizer = AutoTokenizer.from_pretrained(source.folder, **source.options)
        tokenizer.decode(tokenizer(SAMPLE_TEXT)["input_ids"])
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= MOST_TOKENS:
        raise UserError(f"{says}: it has a token {highest:,}, and no vocabulary is as large")
    return tokenizer


@parsed_once()
def load(
    source: Source,
    dtype: Dtype = "float32",
    store: Store | None = None,
    check: Callable[[Reader], object] = lambda _: None,
) -> Loaded:
    """Load and check a model on the CPU.

    Args:
        store: holds converted copies of GGUF files; the numbers are the same without.
        check: refuses, before weights are read, a request that no weights could meet.

    Raises:
        UserError: an architecture that cannot be measured, as one of several residual streams; incomplete or damaged
            weights, NaN in them.
    """
    files = fastest_source(source, store)
    config = _config(files)
    if store:
        _check_sizes(config, source, store)
    tokenizer = load_tokenizer(files)
    reader = Reader(tokenizer, source, tokenizer_hash(tokenizer), config)
    check(reader)
    if store:
        refuse_too_large(source, dtype, store)
    trained = source.initialised is None
    model = read(files, config, dtype, store) if trained else random_weights(source, config, dtype)
    model.eval().requires_grad_(False)
    for each in (model.config, model.config.get_text_config()):  # the settings of the files decide no output
        each.return_dict, each.output_hidden_states, each.output_attentions = True, False, False
    if files is source or not trained or dtype != "float32":
        _check(model, source)  # what is read from a copy was checked before that was written
    spec = ModelSpec(content=source.content, initialised=source.initialised, dtype=dtype)
    loaded = Loaded(**vars(reader), model=model, spec=spec)
    if store and files.gguf and trained and dtype == "float32":
        _keep_copy(loaded, store)
    return loaded


def _keep_copy(loaded: Loaded, store: Store) -> None:
    """Write a converted copy that reads back the same, bit by bit; nothing where the cache cannot take it."""

    def write(folder):
        size = sum(value.nbytes for value in loaded.model.parameters())
        if size > MAX_COPY or shutil.disk_usage(folder).free < 2 * size:
            raise OSError("it is too large")
        save(loaded.model, loaded.tokenizer, folder)
        if not _same(loaded, replace(loaded.source, folder=folder, gguf=None)):
            raise OSError("it is not what was read")

    try:
        write_copy(loaded.source, store, write)
    except (OSError, UserError) as error:  # the model is loaded all the same, only slowly again the next time
        LOG.warning("no converted copy of %s is kept: %s", loaded.source.label, error)


def _same(loaded: Loaded, copy: Source) -> bool:
    weights, own = load_in_memory(copy, None, "float32").state_dict(), loaded.model.state_dict()
    alike = weights.keys() == own.keys() and all(torch.equal(own[name], weights[name]) for name in own)
    return alike and tokenizer_hash(load_tokenizer(copy)) == loaded.tokenizer_hash


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of everything that decides how a text becomes ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:  # how it cuts and fills is set anew by every call
        backend.no_truncation()
        backend.no_padding()
    return digest(backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True))


def _config(source: Source) -> Any:
    with library_errors(f"{source.label} cannot be read as a model"):
        config = AutoConfig.from_pretrained(source.folder, **source.options)
    text = config.get_text_config()
    if source.gguf and (scaled := gguf_positions(source.folder / source.gguf)):  # which transformers passes over
        text.rope_parameters = {**text.rope_parameters, **scaled}
    if config.is_encoder_decoder:
        raise UserError(f"{source.label} is an encoder-decoder ({config.model_type}): only decoders can be measured")
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserError(f"{source.label} is a {config.model_type} model, which has no causal language-model decoder")
    return config


def _check_sizes(config: Any, source: Source, store: Store) -> None:
    """Refuse sizes that the weights in the files cannot have, before memory is taken for a model of these sizes."""
    shapes = [shape for path in source.weights for shape in tensor_shapes(path, store).values()]
    layers = getattr(config.get_text_config(), "num_hidden_layers", 0)
    if not isinstance(layers, int) or not 0 < layers <= len(shapes):
        raise UserError(f"{source.label} announces {brief(layers)} layers, and its files hold {len(shapes)} tensors")
    with library_errors(f"{source.label} cannot be read as a model"), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    size = sum(each.numel() for each in (*model.parameters(), *model.buffers()))
    there = sum(map(math.prod, shapes))
    if size > MAX_PACKED * there + MAX_EXTRA:
        raise UserError(f"{source.label} announces sizes for {size:,} weights, and its files hold {there:,}")


def _check(model: PreTrainedModel, source: Source) -> None:
    for piece in anatomy.checkpoint_pieces(model):
        for name, value in piece.items():
            if not torch.isfinite(value).all():
                raise UserError(f"{source.label} holds NaN or infinite weights, in {name}: the files are damaged")
    ids = torch.tensor([[1, 2]], device=model.device) % model.config.get_text_config().vocab_size
    with library_errors(f"{source.label} fails on a few tokens"):
        stream, causal = replay.entry_stream(model, anatomy.decoder_layers(model)[0], ids), anatomy.is_causal(model)
    if stream.dim() != STREAM_AXES:
        wrong = "carries several residual streams side by side: only models with one"
    elif not causal:
        wrong = "lets tokens see later ones, as encoders do: only decoders"
    else:
        return
    raise UserError(f"{source.label} ({type(model).__name__}) {wrong} can be measured")
