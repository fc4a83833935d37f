"""Write a pruned model as one GGUF file for llama.cpp and programs built on it, and the importance matrix beside it."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from torch import Tensor

from core.base import Array, UserError
from core.export.card import GGUF
from core.export.compressed_tensors import FormatTable
from core.export.target import gguf_family
from core.methods import OUTSIDE, QUANT_FORMATS, pack
from core.models import Loaded, anatomy, checkpoint_pieces, is_streamed
from core.prune import imatrix

SETTINGS = {  # name in llama.cpp -> name in configurations
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.value_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "rope.dimension_count": "head_dim",
    "vocab_size": "vocab_size",
}
SPLITS = {  # sign in a byte-level tokenizer's settings -> llama.cpp's name of that pre-tokenizer
    r"\\p{N}{1,3}": "llama-bpe", r"\\p{N}|": "qwen2", '"Digits"': "smollm", '"use_regex":true': "gpt-2",
}  # fmt: skip
BYTE = re.compile("<0x[0-9A-F]{2}>")
TYPES, IMATRIX = "tensor-types.txt", "imatrix.gguf"
OWN = ("GGUF.", "general.architecture", "general.file_type", "quantize.imatrix.")  # written anew


def write(loaded: Loaded, folder: Path, types: FormatTable, text: imatrix.Text | None = None) -> None:
    """Write the model, and set its weights to the values that the file holds, which rounding has changed.

    Beside it stand the types by tensor, as `llama-quantize --tensor-type-file` reads them, and what weights were
    rounded by importance the importance matrix, as `--imatrix` does.

    Args:
        folder: with config.json and the tokenizer's files in it.
        types: (layers, linears) names, as `Q4_0`; any other name is half precision.
        text: that importance was measured on.

    Raises:
        UserError: GGUF lacks the family, its positions or its tokenizer; or memory does not hold the model.
    """
    family = gguf_family(loaded.model.config.get_text_config().model_type)
    if is_streamed(loaded.layers):
        raise UserError("a GGUF file is checked in memory, which does not hold this model: export it with format dense")
    writer = GGUFWriter(folder / GGUF, family)
    _settings(writer, loaded, folder)
    lines, importance = _tensors(writer, loaded, types)
    (folder / TYPES).write_text("\n".join(lines) + "\n")
    if importance:
        imatrix.write(folder / IMATRIX, importance, text)
        writer.add_string("quantize.imatrix.file", IMATRIX)
        writer.add_string("quantize.imatrix.dataset", text.name)
        writer.add_int32("quantize.imatrix.entries_count", len(importance))
        writer.add_int32("quantize.imatrix.chunks_count", text.windows)
    [(most, _)] = Counter(line.partition("=")[2] for line in lines).most_common(1)
    numbers = gguf.LlamaFileType.__members__  # the mixes of a K-type by its own name, or as its medium one
    if (number := numbers.get(f"MOSTLY_{most}", numbers.get(f"MOSTLY_{most}_M"))) is not None:
        writer.add_file_type(number)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(writer: GGUFWriter, loaded: Loaded, types: FormatTable) -> tuple[list[str], dict[str, Array]]:
    """Add the tensors; return `name=type` of the matrices, and the importance of their inputs by name."""
    config, lines, importance = loaded.model.config.get_text_config(), [], {}
    half = Kind.BF16 if loaded.model.dtype == torch.bfloat16 else Kind.F16
    outside = Kind[OUTSIDE] if {*types.flat} & QUANT_FORMATS.keys() else half
    [architecture] = [each for each, name in gguf.MODEL_ARCH_NAMES.items() if name == writer.arch]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    formats = {
        id(linear.module.weight): types[index, column]
        for index, layer in enumerate(loaded.layers)
        for column, linear in enumerate(anatomy.prunable_linears(layer))
    }
    for piece in checkpoint_pieces(loaded.model):
        for name, value in piece.items():
            inside, _, suffix = name.rpartition(".")
            form = formats.get(id(value))
            named = QUANT_FORMATS.get(form)
            kind = Kind[named.on(value.shape[-1]).name] if named else half if form else outside
            kind = Kind.F32 if value.ndim == 1 else kind
            packed = getattr(value, "packed", None) or pack(value.float().contiguous().cpu().numpy(), kind.name)
            if (kind := Kind[packed.kind]) != Kind.F32:
                value.copy_(torch.from_numpy(packed.values))
            stored = _as_stored(writer.arch, inside, torch.from_numpy(packed.data), config).contiguous().numpy()
            own = f"{names.get_name(inside)}.{suffix}"
            writer.add_tensor(own, stored, raw_dtype=kind)
            if value.ndim > 1:
                lines.append(f"{own}={kind.name}")
            if packed.importance is not None:
                importance[own] = packed.importance
    return sorted(lines, key=lambda line: not line.startswith("blk.")), importance  # the first that is like a name


def _as_stored(family: str, name: str, value: Tensor, config: Any) -> Tensor:
    """A tensor, packed or not, as llama.cpp stores it: rotated halves of a llama together, norms of a gemma plus 1."""
    if family.startswith("gemma") and name.endswith("norm"):
        return value + 1
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.rpartition(".")[2])
    return value.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2) if family == "llama" and heads else value


def _settings(writer: GGUFWriter, loaded: Loaded, folder: Path) -> None:
    source, config = loaded.source, loaded.model.config.get_text_config()
    if source.gguf:
        for name, field in GGUFReader(source.folder / source.gguf).fields.items():
            if not name.startswith(OWN):
                inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
                writer.add_key_value(name, field.contents(), field.types[0], inner)
    else:
        writer.add_type("model")
        label = gguf.size_label(loaded.model.num_parameters(), 0, 0, 0)
        gguf.Metadata(name=loaded.source.label, size_label=label).set_gguf_meta_model(writer)
        _vocabulary(writer, loaded, folder)
    own = {key: value for key, name in SETTINGS.items() if (value := getattr(config, name, None)) is not None}
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    if rope.get("rope_type", "default") != "default":
        raise UserError(f"no GGUF file is written of positions scaled by {rope['rope_type']}: export with format dense")
    for key, value in (own | {"rope.freq_base": float(rope["rope_theta"])}).items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"{writer.arch}.{key}", value)


def _vocabulary(writer: GGUFWriter, loaded: Loaded, folder: Path) -> None:
    own = getattr(loaded.tokenizer, "backend_tokenizer", None)
    settings = json.loads(own.to_str()) if own else {"model": {"type": "slow"}}
    if settings["model"]["type"] != "BPE":
        raise UserError(
            f"no GGUF file is written of a tokenizer of the kind {settings['model']['type']}: export it dense"
        )
    pieces_of_bytes, added = settings["model"].get("byte_fallback"), loaded.tokenizer.added_tokens_decoder
    tokens = loaded.tokenizer.convert_ids_to_tokens(range(loaded.vocabulary))
    kinds = [gguf.TokenType.NORMAL if token else gguf.TokenType.UNUSED for token in tokens]
    for place in added.keys() & range(len(tokens)):
        kinds[place] = gguf.TokenType.CONTROL if added[place].special else gguf.TokenType.USER_DEFINED
    if pieces_of_bytes:  # as in SentencePiece, earlier tokens are merged first
        for place in (place for place, token in enumerate(tokens) if token and BYTE.fullmatch(token)):
            kinds[place] = gguf.TokenType.BYTE
        writer.add_token_scores([-float(place) for place in range(len(tokens))])
    else:
        split = json.dumps(settings["pre_tokenizer"], separators=(",", ":"))
        writer.add_tokenizer_pre(next((name for sign, name in SPLITS.items() if sign in split), "default"))
    writer.add_tokenizer_model("llama" if pieces_of_bytes else "gpt2")
    writer.add_token_list([token or f"[PAD{place}]" for place, token in enumerate(tokens)])
    writer.add_token_types(kinds)
    special = gguf.SpecialVocab(folder, load_merges=not pieces_of_bytes, n_vocab=len(tokens))
    special.add_special_token["bos"] = loaded.tokenizer("a")["input_ids"][0] == loaded.tokenizer.bos_token_id
    special.add_to_gguf(writer, quiet=True)
