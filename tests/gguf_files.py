"""Small GGUF files of several architectures and quantisations, written from tiny models."""

import json

import gguf
import numpy as np

from tests import families, tiny


def bare(path, architecture="llama", layers=2, said=None, licence=None):
    """A file of a few matrices alone; `said` is how many layers it tells of, where that is not the truth."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(layers if said is None else said)
    if licence:
        writer.add_license(licence)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    for layer in range(layers):
        writer.add_tensor(f"blk.{layer}.attn_q.weight", np.ones((8, 8), np.float32))
    writer.add_tensor("token_embd.weight", np.ones((16, 8), np.float32))
    finish(writer)
    return path


def finish(writer):
    """Write all and close."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(path, family="llama", kind="Q4_1", seed=0, of=None, kinds=None, matrices=False):
    """Write a tiny model with the matrices of its layers in one type; every weight that this stands for.

    of: another model; kinds: types of single tensors; matrices: pack those outside the layers too, as Q8_0.
    """
    model, writer = of or tiny.built(family, seed), gguf.GGUFWriter(path, family)
    config = model.config
    if (rope := getattr(config, "rope_parameters", None) or {}).get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR), writer.add_rope_scaling_factor(rope["factor"])
    said = {
        "context_length": config.max_position_embeddings, "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers, "feed_forward_length": config.intermediate_size,
        "head_count": config.num_attention_heads, "head_count_kv": config.num_key_value_heads,
        "layer_norm_rms_eps": getattr(config, "rms_norm_eps", 1e-5), "layer_norm_eps": 1e-5,
        "vocab_size": tiny.VOCABULARY,
        **dict.fromkeys(("key_length", "value_length", "sliding_window", "rope_dimension_count"), families.HEAD),
    }  # fmt: skip
    for name, value in said.items():
        getattr(writer, f"add_{name}")(value)
    _tokenizer(writer)
    [arch] = [arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == family]
    names, meant = gguf.get_tensor_name_map(arch, config.num_hidden_layers), {}
    for name, value in model.state_dict().items():
        inside, _, suffix = name.rpartition(".")
        packed = kind if ".layers." in name and value.ndim > 1 else "Q8_0" if matrices and value.ndim > 1 else "F32"
        type_ = gguf.GGMLQuantizationType[(kinds or {}).get(name, packed)]
        data = gguf.quantize(_as_stored(family, inside, value, config).numpy(), type_)
        writer.add_tensor(f"{names.get_name(inside)}.{suffix}", data, raw_dtype=type_)
        meant[name] = gguf.dequantize(gguf.quantize(value.numpy(), type_), type_)
    finish(writer)
    return meant


def _tokenizer(writer):
    own = tiny.tokenizer()
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(own.convert_ids_to_tokens(range(tiny.VOCABULARY)))
    writer.add_token_types([1] * tiny.VOCABULARY)
    merges = json.loads(own.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0), writer.add_eos_token_id(0), writer.add_unk_token_id(0)


def _as_stored(family, name, value, config):
    """A weight as llama.cpp keeps it: the halves of a rotation in a llama side by side, the norms of a gemma plus 1."""
    if family == "gemma2" and name.endswith("norm"):
        return value + 1
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.rpartition(".")[2])
    if family != "llama" or heads is None:
        return value
    return value.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)
