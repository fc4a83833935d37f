"""The rotated twin of a Llama: `python -m tests.bench.rotated FOLDER [MODEL]`, the same function in other weights.

Checkpoints at hand come from 4 bits and have no rows of 256, so that no K-type proves anything on them. A stream may
be turned without changing what a model of RMS norms computes (SliceGPT, arXiv 2401.15024): norms are folded into what
reads them, the width is padded with zeros to the next multiple of 256 with whole heads, readers are turned by an
orthogonal matrix and writers turned back. The mean square over the wider stream is smaller, which readers and epsilon
make up for. Head and embedding are no longer tied. Zeros should not be judged on it: a turn spreads what pruners look
for.
"""

import sys
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from core.models import bundled, loading, locate
from core.store import Store

BLOCK = 256
READERS = {f"self_attn.{name}_proj": "input_layernorm" for name in "qkv"}  # and the norm of what each reads
READERS |= dict.fromkeys(("mlp.gate_proj", "mlp.up_proj"), "post_attention_layernorm")


@torch.no_grad()
def main(folder, source=""):
    """Write the twin, with the tokenizer, as a folder that loads anywhere."""
    loaded = loading.load(locate(source or str(bundled()), Store()))
    old, config = loaded.model, loaded.model.config
    size, width = config.head_dim, config.hidden_size
    each = config.num_attention_heads // config.num_key_value_heads
    keys = -(-width // BLOCK) * BLOCK // (size * each)
    wide = keys * each * size
    if wide % BLOCK or wide < width or config.model_type != "llama":
        raise SystemExit(f"no twin: heads of {size} make no multiple of {BLOCK} of a llama's width {width}")
    share = width / wide
    fields = {name: each for name, each in config.to_dict().items() if "quantization" not in name}
    new = LlamaForCausalLM(type(config)(**fields | {
        "hidden_size": wide, "num_attention_heads": keys * each, "num_key_value_heads": keys,
        "rms_norm_eps": config.rms_norm_eps * share, "tie_word_embeddings": False, "dtype": "float32",
    }))  # fmt: skip
    turn, _ = torch.linalg.qr(torch.randn(wide, wide, generator=torch.Generator().manual_seed(0), dtype=torch.float64))

    def reads(weight, norm):
        return (weight * norm).double() @ turn[:width] * share**0.5

    def writes(weight):
        return turn[:width].T @ weight.double()

    new.model.norm.weight.fill_(1)
    new.model.embed_tokens.weight.copy_(old.model.embed_tokens.weight.double() @ turn[:width])
    new.lm_head.weight.copy_(reads(old.lm_head.weight, old.model.norm.weight))
    for ours, theirs in zip(new.model.layers, old.model.layers, strict=True):
        for norm in (ours.input_layernorm, ours.post_attention_layernorm):
            norm.weight.fill_(1)
        for name, norm in READERS.items():
            weight = theirs.get_submodule(name).weight
            put(ours.get_submodule(name), reads(weight, theirs.get_submodule(norm).weight))
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            put(ours.get_submodule(name), writes(theirs.get_submodule(name).weight))
    ids = loaded.tokenizer("The same function in other weights.", return_tensors="pt")["input_ids"]
    apart = (new(ids).logits.log_softmax(-1) - old(ids).logits.log_softmax(-1)).abs().max()
    new.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    print(f"{Path(folder)}: width {width} became {wide}; log-probabilities of a sentence differ by {apart:.1e} at most")


def put(linear, weight):
    """Set a weight, zeros where it has more rows or columns: heads that attend and give nothing."""
    linear.weight.zero_()
    linear.weight[: len(weight), : weight.shape[1]] = weight


if __name__ == "__main__":
    main(*sys.argv[1:])
