"""Configurations of every family that is tried, as small as is asked for."""

import transformers

VOCABULARY, LONGEST, HEAD = 288, 64, 8
WINDOW = {"sliding_window": HEAD}
UNLIMITED = {"max_position_embeddings": None}
EXPERTS = {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 16}

# Family -> the name of its configuration, and what that is told beside the sizes.
FAMILIES = {
    "llama": ("Llama", {}),
    "mistral": ("Mistral", WINDOW),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": HEAD}),
    "gemma2": ("Gemma2", WINDOW | {"head_dim": HEAD}),
    "gemma3_text": ("Gemma3Text", WINDOW | {"head_dim": HEAD, "layer_types": ("sliding_attention", "full_attention")}),
    "gpt2": ("GPT2", {}),
    "opt": ("OPT", {"pad_token_id": 1}),
    "gpt_neox": ("GPTNeoX", {}),
    "phi": ("Phi", {}),
    "phi3": ("Phi3", {}),
    "bloom": ("Bloom", UNLIMITED),
    "falcon": ("Falcon", {}),
    "olmo2": ("Olmo2", {}),
    "gpt_neo": ("GPTNeo", {"attention_types": ("global", "local"), "window_size": HEAD}),
    "mpt": ("Mpt", UNLIMITED | {"max_seq_len": LONGEST}),
    "starcoder2": ("Starcoder2", {}),
    "granite": ("Granite", {}),
    "cohere": ("Cohere", {}),
    "stablelm": ("StableLm", {}),
    "smollm3": ("SmolLM3", {}),
    "mamba": ("Mamba", UNLIMITED | {"state_size": 4}),
    "mixtral": ("Mixtral", {"num_local_experts": 3}),
    "qwen2_moe": ("Qwen2Moe", EXPERTS | {"shared_expert_intermediate_size": 16}),
    "qwen3_moe": ("Qwen3Moe", EXPERTS | {"head_dim": HEAD}),
    "olmoe": ("Olmoe", EXPERTS),
    "gemma4": (  # its layers differ in their linears, embed the tokens anew, and share keys and values
        "Gemma4Text",
        WINDOW
        | {"head_dim": HEAD, "global_head_dim": HEAD, "layer_types": ("sliding_attention", "full_attention")}
        | {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY},
    ),
}


def config(family, layers, width):
    """A configuration with heads of 8; half as many hold keys and values where a family lets them.

    Args:
        layers: an even number, since some families have two kinds of layers in turn.
    """
    kind, own = FAMILIES[family]
    usual = {
        "vocab_size": VOCABULARY, "hidden_size": width, "num_hidden_layers": layers, "max_position_embeddings": LONGEST,
        "intermediate_size": 2 * width, "ffn_dim": 2 * width, "word_embed_proj_dim": width // 2,
        "num_attention_heads": width // HEAD, "num_key_value_heads": width // HEAD // 2,
        "num_kv_shared_layers": layers - 2,
        "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None,
    }  # fmt: skip
    told = usual | own
    if "layer_types" in own:
        told["layer_types"] = [*own["layer_types"]] * (layers // 2)
    if "attention_types" in own:
        told["attention_types"] = [[[*own["attention_types"]], layers // 2]]
    return getattr(transformers, f"{kind}Config")(**told)
