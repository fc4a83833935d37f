"""A model that memory does not hold: its layers stay in their safetensors files, and are read when they run."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key

from core.base.errors import UserError
from core.models import anatomy
from core.models.outline import safetensors_shapes
from core.models.sources import Source
from core.models.streaming import Home, Place, settle, slot, stored
from core.store.cache import Store
from core.store.files import temporary_prefix


def by_layers(source: Source, config: Any, dtype: torch.dtype, store: Store | None) -> PreTrainedModel:
    """A model whose layers stay in their files; what lies outside them is read.

    Args:
        store: in whose folder layers that are changed are kept as long as the model lives; None: the system's own.

    Raises:
        UserError: weights are missing, of another shape, or stored in another form than the model has them.
    """
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.tie_weights()
    with suppress(OSError):  # which most have
        model.generation_config = GenerationConfig.from_pretrained(source.folder, local_files_only=True)
    places = _places(source, model)
    layers = anatomy.decoder_layers(model)
    scratch = _scratch(model, store)
    names = {id(layer): name for name, layer in model.named_modules()}
    for index, layer in enumerate(layers):
        of = {name: places.pop(f"{names[id(layer)]}.{name}") for name, _ in layer.named_parameters()}
        settle(layer, Home(torch.device("cpu"), of, dtype, scratch / f"{index}.safetensors"))
    _read(model, places, dtype)
    model.tie_weights()
    return model


def _places(source: Source, model: PreTrainedModel) -> dict[str, Place]:
    """Where everything lies that the model needs, by its name in the model, which in files may be another."""
    changes, needed = get_model_conversion_mapping(model), stored(model)
    renamings = [each for each in changes if isinstance(each, WeightRenaming)]
    there: dict[str, tuple[Place, tuple[int, ...]]] = {}
    for path in source.weights:
        for called, shape in safetensors_shapes(path).items():
            name, _ = rename_source_key(called, renamings, [], model.base_model_prefix, needed)
            there[name] = Place(path, called), shape
    missing = [name for name, each in needed.items() if isinstance(each, nn.Parameter) and name not in there]
    if missing and len(renamings) < len(changes):
        raise UserError(
            f"{source.label} is larger than the memory here, and its files hold {missing[0]} in another form than the "
            "model: use a machine with more memory"
        )
    odd = [name for name in needed.keys() & there.keys() if there[name][1] != tuple(needed[name].shape)]
    refuse_incomplete(source, odd, missing)
    return {name: there[name][0] for name in needed if name in there}


def refuse_incomplete(source: Source, mismatched: Iterable[str], missing: Iterable[str]) -> None:
    """Check that files held what a model needs.

    Raises:
        UserError: weights are of another shape, or missing.
    """
    mismatched, missing = sorted(mismatched), sorted(missing)
    if mismatched:
        raise UserError(
            f"{source.label} has weights of another shape than its config.json announces, {mismatched[0]} among them"
        )
    if missing:
        raise UserError(f"{source.label} lacks {len(missing)} weights, {missing[0]} among them: a file is missing")


def _read(model: PreTrainedModel, places: dict[str, Place], dtype: torch.dtype) -> None:
    """Fill what lies outside the layers, and buffers inside them."""
    for path in dict.fromkeys(place.path for place in places.values()):
        with safe_open(path, framework="pt") as file:
            for name in [name for name, place in places.items() if place.path == path]:
                held, leaf = slot(model, name)
                value = file.get_tensor(places[name].name)
                wide = value.to(dtype if value.is_floating_point() else None, copy=True)
                held[leaf] = nn.Parameter(wide, requires_grad=False) if isinstance(held[leaf], nn.Parameter) else wide


def _scratch(model: PreTrainedModel, store: Store | None) -> Path:
    """A folder that is gone with the model."""
    within = store.root / "converted" if store else None  # where a start clears away what killed processes left
    if within:
        within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=temporary_prefix("layers"), dir=within))
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return folder
