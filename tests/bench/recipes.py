"""Does llm-compressor read the recipes and reach their sparsities? Runs it on small models of several families.

pip install --no-deps llmcompressor compressed-tensors loguru   # not among the requirements: it pins transformers
python -m tests.bench.recipes
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import datasets
import numpy as np
import torch
from llmcompressor import oneshot
from transformers import AutoModelForCausalLM, PreTrainedModel

from core.export.recipes import llm_compressor
from core.models import anatomy
from tests import tiny

FAMILIES = ("llama", "opt", "gpt_neox")
WINDOWS, LENGTH = 16, 32


def main() -> None:
    """Print, for every family and recipe, the largest difference between what was asked and what came of it."""
    for family in FAMILIES:
        for modifier in ("WandaPruningModifier", "SparseGPTModifier"):
            model = AutoModelForCausalLM.from_pretrained(tiny.folder(family), dtype=torch.float32)
            wished = np.linspace(0.3, 0.8, model.config.num_hidden_layers)
            compress(model, llm_compressor(wished, modifier, family))
            say(family, modifier, wished, zeros(model).mean(axis=1), model)
    model = AutoModelForCausalLM.from_pretrained(tiny.folder("llama"), dtype=torch.float32)
    names = [
        name for name, part in anatomy.decoder_layers(model)[0].named_modules() if isinstance(part, torch.nn.Linear)
    ]
    wished = np.random.default_rng(0).uniform(0.2, 0.8, zeros(model).shape)
    compress(model, llm_compressor(wished, "WandaPruningModifier", "llama", names))
    say("llama", "per linear", wished, zeros(model), model)


def compress(model: PreTrainedModel, recipe: str) -> None:
    """What llm-compressor makes of a model by a recipe, in place."""
    file = Path(tempfile.mkdtemp()) / "recipe.yaml"
    file.write_text(recipe, encoding="utf-8")
    made = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, model.config.vocab_size, (WINDOWS, LENGTH), generator=made)
    text = {"input_ids": tokens.tolist(), "attention_mask": torch.ones_like(tokens).tolist()}
    oneshot(
        model=model, recipe=str(file), dataset=datasets.Dataset.from_dict(text), num_calibration_samples=WINDOWS,
        max_seq_length=LENGTH,
    )  # fmt: skip


def zeros(model: PreTrainedModel) -> np.ndarray:
    """Fraction of zeros, (layers, linears)."""
    rows = map(anatomy.prunable, anatomy.decoder_layers(model))
    return np.array([[float((each.weight == 0).float().mean()) for each in row] for row in rows])


def say(family: str, what: str, wished: np.ndarray, found: np.ndarray, model: PreTrainedModel) -> None:
    """One line; a row is pruned in whole weights, so a difference below one weight of the narrowest row is none."""
    narrowest = min(each.weight.shape[1] for each in anatomy.prunable(anatomy.decoder_layers(model)[0]))
    difference = np.abs(found - wished).max()
    print(f"{family}, {what}: largest difference {difference:.3f}, one weight of a row is {1 / narrowest:.3f}")


if __name__ == "__main__":
    main()
