"""Invented profiles that look like measured ones: for tests of pages and charts, which need no model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from core import specs
from core.presets import PRESETS
from core.results import Activation, Array, Floor, Perturbed, Scores, Weights
from core.store import Store

LENGTH = 64


def profile_spec(
    layers: int = 30, sequences: int = 16, preset: str = "standard", seed: int = 0, prunable: bool = False
) -> specs.ProfileSpec:
    """A profile of an invented model, named by its depth and seed."""
    return specs.ProfileSpec(
        model=specs.ModelSpec(content=f"invented-{layers}-{seed}"),
        text=specs.TextSpec(
            content="invented",
            tokenizer="invented",
            packing="joined",
            bos="protocol",
            length=LENGTH,
            windows=tuple((0, LENGTH * n) for n in range(sequences)),
        ),
        measurements=PRESETS[preset].measurements,
        prunable=prunable,
    )


def save_profile(root: Path, spec: specs.ProfileSpec, layers: int = 30, model: str = "invented model") -> str:
    """Write a whole profile to a cache folder and return its key; depth must agree with the spec's."""
    store = Store(root)
    provenance = {
        "model": model,
        "text": "invented text",
        "device": "none",
        "dtype": "float32",
        "seconds": 1.5,
        "created": "2026-11-01T12:00:00",
        "versions": {"torch": "none"},
        "engine": "invented",
    }
    store.save(spec.activation, activation(layers, spec.text.sequences), provenance)
    store.save(spec.floor, floor(layers), provenance)
    if spec.prunable:
        store.save(spec.weights, weights(layers), provenance)
        store.save(spec.scores, scores(layers), provenance)
    for measurement in spec.measurements:
        store.save(spec.unit(measurement), perturbed(layers, spec.text.sequences, measurement), provenance)
    store.save(spec, None, provenance)
    return spec.key


def perturbed(layers: int, sequences: int, measurement: specs.Measurement) -> Perturbed:
    """Drift that small sizes see amplified and large ones absorbed, early layers amplified more than late ones."""
    asked = measurement.perturbation
    rng = np.random.default_rng(int(hashlib.sha256(measurement.name.encode()).hexdigest()[:8], 16))
    start = _start(asked, layers)
    gain = _gain(asked, start)
    depth = np.arange(layers)
    left = np.where(depth < layers - 1, layers - 1 - depth, 1)
    travelled = np.clip((depth[None, :] - depth[:, None]) / left[:, None], 0, 1)
    log_drift = np.log(start)[:, None] + gain[:, None] * travelled**0.7
    log_drift = log_drift[:, :, None] + 0.05 * rng.standard_normal((layers, layers, sequences)) * travelled[:, :, None]
    log_drift[depth[:, None] > depth[None, :]] = np.nan
    drift = np.exp(log_drift).mean(-1)
    ratio = np.exp(log_drift[:, -1] - np.log(start)[:, None])
    harm = 0.5 * np.exp(2 * log_drift[:, -1]) * (1 + 0.1 * rng.standard_normal((layers, sequences)))
    everywhere = getattr(asked, "positions", "all") == "all"
    return Perturbed(
        log_drift=log_drift,
        drift=drift,
        drift_first=0.4 * drift if everywhere else 0 * drift,
        cosine=1 / np.sqrt(1 + drift**2),
        orthogonal=np.clip(1 - 0.3 * drift, 0, 1),
        ratio=1.05 * ratio,
        final_squared=1.1 * np.exp(2 * log_drift[:, -1]),
        ratio_q25=0.8 * ratio,
        ratio_q50=0.98 * ratio,
        ratio_q75=1.2 * ratio,
        kl=np.abs(harm),
        nll_increase=0.8 * harm,
        flips=np.clip(0.2 * harm, 0, 1),
    )


def _start(asked: specs.Perturbation, layers: int) -> Array:
    """Drift at the injection layer, (layers,)."""
    across = np.linspace(0, 1, layers)
    if asked.kind == "skip":
        return 0.1 + 0.5 * (across - 0.5) ** 2
    if asked.kind == "residual":
        return asked.sparsity**2 * (0.15 + 0.4 * (across - 0.4) ** 2)
    return np.full(layers, abs(asked.size))


def _gain(asked: specs.Perturbation, start: Array) -> Array:
    """`ln r` per layer, (layers,); 0 at the last."""
    across = np.linspace(0, 1, len(start))
    gain = (1.2 - 0.35 * np.log(start / 0.01) - 0.5 * np.sin(np.pi * across)) * (1 - across)
    if getattr(asked, "positions", "") == "all":
        gain += 1.2 * np.exp(-(((across - 0.5) / 0.15) ** 2))
    gain[-1] = 0
    return gain


def activation(layers: int, sequences: int) -> Activation:
    """A residual stream that grows with depth."""
    log_norm = np.linspace(3, 5.5, layers)[:, None] + 0.01 * np.arange(sequences)[None, :]
    return Activation(
        norm=np.exp(log_norm),
        log_norm=log_norm,
        norm_first=100 * np.exp(log_norm),
        block_influence=np.full((layers, sequences), 0.1),
        nll=np.full(sequences, 3.0),
    )


def floor(layers: int) -> Floor:
    """A floor that greys the late reads of small perturbations."""
    upper = np.triu(np.ones((layers, layers), bool))
    growth = np.linspace(1e-6, 1.5e-3, layers)[None, :] * np.ones((layers, 1))
    return Floor(drift=np.where(upper, growth, np.nan), half_precision=np.zeros(layers))


def weights(layers: int) -> Weights:
    """Layers of unequal size whose spectra grow lighter with depth."""
    linears = np.array([330, 110, 110, 330, 880, 880, 880]) * 1000.0
    sizes = linears * (1 + np.arange(layers)[:, None] % 3)
    alpha = np.linspace(2.6, 4.2, layers)[:, None] + np.linspace(0, 0.3, len(linears))
    return Weights(parameters=sizes, alpha_hill=alpha, alpha_peak=alpha + 0.1 * np.sin(np.arange(layers))[:, None])


def scores(layers: int) -> Scores:
    """More outliers in the early layers, larger scores in the late ones."""
    across = np.linspace(0, 1, layers)
    thresholds = np.array(specs.OUTLIER_THRESHOLDS)
    outliers = 0.02 * np.exp(-thresholds / 4) * (2 - across + 0.2 * np.sin(9 * across))[:, None]
    return Scores(outlier_ratio=outliers, mean=0.1 + across**2, median=0.08 + across**2)
