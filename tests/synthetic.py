"""Invented profiles that look like measured ones: for tests of pages and charts, which need no model."""

import hashlib
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from safetensors.numpy import save_file

from core.methods import DAMAGES, OUTLIER_THRESHOLDS, Manual, ResidualLinear
from core.plan import allocate
from core.requests import (
    PRESETS,
    ExactRecipe,
    ModelSpec,
    ProfileSpec,
    Repairs,
    StudyRecipe,
    StudyRequest,
    StudySpec,
    TaskSpec,
    TextSpec,
    measurements,
    methods_of,
)
from core.store import (
    TRAINING,
    Activation,
    Cumulative,
    Difference,
    Floor,
    Losses,
    Perturbed,
    Removal,
    Scores,
    Sketch,
    Store,
    TensorSketch,
    Weights,
    ZeroShot,
    distillation_folder,
)

LENGTH = 64
OTHER = "/invented/other"  # where a checkpoint that a profile is compared with lies
TOLD = {"created": "2026-11-01T12:00:00", "seconds": 1.5}


def profile_spec(layers=30, sequences=16, preset="paper", seed=0, prunable=False):
    """A profile of an invented model, named by its depth and seed; without linears alone, which `with_linears` adds."""
    asked = tuple(each for each in PRESETS[preset].measurements if each.perturbation.kind != "residual_linear")
    return ProfileSpec(
        model=ModelSpec(content=f"invented-{layers}-{seed}"),
        text=TextSpec(
            content="invented", tokenizer="invented", packing="joined", bos="protocol", length=LENGTH,
            windows=tuple((0, LENGTH * n) for n in range(sequences)),
        ),
        measurements=asked,
        prunable=prunable,
        methods=methods_of(asked),
    )  # fmt: skip


def depth(spec):
    """Layers of a spec's model, which its name tells; of another than an invented one those of the bundled model."""
    kind, *layers = spec.model.content.split("-")
    return int(layers[0]) if kind == "invented" else 30


def save_profile(root, spec, model="invented model", text="invented text", **more):
    """Write a whole profile to a cache folder and return its key."""
    store, layers = Store(root), depth(spec)
    provenance = TOLD | {"model": model, "text": text, "device": "none", "dtype": "float32", "engine": "invented"}
    provenance |= {"versions": {"torch": "none"}, "linears": list(LINEARS)} | more
    store.save(spec.activation, activation(layers, spec.text.sequences), provenance)
    store.save(spec.floor, floor(layers), provenance)
    if spec.prunable:
        store.save(spec.weights, weights(layers), provenance)
        store.save(spec.scores, scores(layers), provenance)
    if spec.removal:
        store.save(spec.removed, removal(layers), provenance)
    if spec.sketch:
        store.save(spec.unit(spec.sketch), sketch(layers, spec.text.sequences, spec.sketch), provenance)
    for other in spec.others.values():
        provenance |= {"checkpoints": {other: OTHER}, "tensors": list(LINEARS), "outside": [OTHER]}
        store.save(spec.cumulative(other), cumulative(layers, spec.text.sequences), provenance)
        store.save(spec.difference(other), difference(layers), provenance)
        store.save(spec.tensor_sketch(other), tensor_sketch(layers, spec.text.sequences), provenance)
    for measurement in spec.measurements:
        store.save(spec.unit(measurement), perturbed(layers, spec.text.sequences, measurement), provenance)
    store.save(spec, None, provenance)
    return spec.key


def save_small(root, sequences=8, **more):
    """Write a quick profile of four layers; its key."""
    return save_profile(root, profile_spec(4, sequences, "quick"), **more)


def perturbed(layers, sequences, measurement):
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


def _start(asked, layers):
    """Drift at the injection layer, (layers,)."""
    across = np.linspace(0, 1, layers)
    if asked.kind in ("skip", "skip_part"):
        return 0.1 + 0.5 * (across - 0.5) ** 2
    if asked.kind == "residual":
        return asked.sparsity**2 * (0.15 + 0.4 * (across - 0.4) ** 2)
    if asked.kind == "checkpoint":
        return 0.02 + 0.01 * across
    if asked.kind == "residual_linear":
        return _start_of_linear(asked, layers)
    return np.full(layers, abs(asked.size))


def _gain(asked, start):
    """`ln r` per layer, (layers,); 0 at the last."""
    across = np.linspace(0, 1, len(start))
    gain = (1.2 - 0.35 * np.log(start / 0.01) - 0.5 * np.sin(np.pi * across)) * (1 - across)
    if getattr(asked, "positions", "") == "all":
        gain += 1.2 * np.exp(-(((across - 0.5) / 0.15) ** 2))
    gain[-1] = 0
    return gain


def activation(layers, sequences):
    """A residual stream that grows with depth."""
    log_norm = np.linspace(3, 5.5, layers)[:, None] + 0.01 * np.arange(sequences)[None, :]
    return Activation(
        norm=np.exp(log_norm),
        log_norm=log_norm,
        norm_first=100 * np.exp(log_norm),
        block_influence=np.full((layers, sequences), 0.1),
        nll=np.full(sequences, 3.0),
    )


def floor(layers):
    """A floor that greys the late reads of small perturbations."""
    upper = np.triu(np.ones((layers, layers), bool))
    growth = np.linspace(1e-6, 1.5e-3, layers)[None, :] * np.ones((layers, 1))
    return Floor(drift=np.where(upper, growth, np.nan), half_precision=np.zeros(layers))


def weights(layers):
    """Layers of unequal size whose spectra grow lighter with depth."""
    linears = np.array([330, 110, 110, 330, 880, 880, 880]) * 1000.0
    sizes = linears * (1 + np.arange(layers)[:, None] % 3)
    alpha = np.linspace(2.6, 4.2, layers)[:, None] + np.linspace(0, 0.3, len(linears))
    return Weights(parameters=sizes, alpha_hill=alpha, alpha_peak=alpha + 0.1 * np.sin(np.arange(layers))[:, None])


def scores(layers):
    """More outliers in the early layers, larger scores in the late ones."""
    across = np.linspace(0, 1, layers)
    thresholds = np.array(OUTLIER_THRESHOLDS)
    outliers = 0.02 * np.exp(-thresholds / 4) * (2 - across + 0.2 * np.sin(9 * across))[:, None]
    return Scores(outlier_ratio=outliers, mean=0.1 + across**2, median=0.08 + across**2)


def removal(layers):
    """Errors that grow towards the last layers, and differ from linear to linear."""
    return Removal(error=np.linspace(1, 2, layers)[:, None] * np.linspace(0.5, 1.5, len(LINEARS)))


def sketch(layers, sequences, plan):
    """Independent changes, the larger the more a damage takes, and the later the layer."""
    size = np.array([DAMAGES[name].share for name in plan.damages])
    size = size * np.linspace(0.1, 1, layers * len(LINEARS)).reshape(layers, -1, 1)
    drawn = np.random.default_rng(5).standard_normal((layers, len(LINEARS), 1, plan.draws, sequences))
    return Sketch(change=size[..., None, None] * drawn)


def cumulative(layers, sequences):
    """Another checkpoint that parts further from layer to layer, and changes every tenth token."""
    tokens = np.arange(LENGTH - 2)
    kl = 0.01 * (1 + np.cos(tokens)) * np.ones((sequences, 1))
    drift = np.linspace(0.02, 0.2, layers)
    return Cumulative(
        log_drift=np.log(drift)[:, None] * np.ones(sequences),
        drift_first=drift / 10,
        entry=np.full(sequences, 0.01),
        kl=kl,
        nll_increase=kl / 2,
        flips=np.where(tokens % 10 == 0, 1.0, 0.0) * np.ones((sequences, 1)),
    )


def tensor_sketch(layers, sequences):
    """Independent changes of attention and MLP, the middle layer's three times as large."""
    drawn = np.random.default_rng(6).standard_normal((layers, 2, 1, 4, sequences))
    drawn[layers // 2] *= 3
    return TensorSketch(change=drawn, outside=drawn[:1, 0, 0] / 9)


def difference(layers):
    """Weights that differ by 5 %, but for one linear in the middle of the layers that differs by 15 %."""
    error = np.full((layers, len(LINEARS)), 0.05)
    error[layers // 2, 2] = 0.15
    return Difference(error=error, scale=np.ones_like(error), outside=np.array([0.04]))


# --- studies -------------------------------------------------------------------------------------------------------


def invented_cost(setting):
    """Rise of the loss in nats/token: more with the target, less for spread allocations, a little for corrections."""
    asked = setting.allocation
    rise = {"wanda": 3.0, "sparsegpt": 2.6, "magnitude": 4.5, "alps": 2.0, "gguf": 1.0}[setting.pruner]
    rise *= asked.target**4
    rise *= 0.6 if setting.repair else 1
    rise *= {"uniform": 1.0, "depth_ramp": 1.05, "alphapruning": 0.9, "owl": 0.85, "dlp": 0.88}.get(
        asked.base.kind, 0.7
    )
    drift = {"none": 1.5, "reversed": 1.4, "shuffled": 0.4 * (asked.correction.seed - 2), "ramp": -0.8}
    return rise + drift[asked.correction.control] * asked.correction.strength


def study_spec(profile, asked, windows=24, length=512, text="invented evaluation", tasks=()):
    """A study of a profile's model; each unit gets the target, moved a little by the setting's name."""
    points = tuple(_point(profile, each) for each in StudyRequest(settings=tuple(asked)).points)
    read = profile.text.replace(content=text, length=length, windows=tuple((0, length * n) for n in range(windows)))
    zero_shot = tuple(TaskSpec(name=name, content=name, examples=200, seed=0) for name in tasks)
    return StudySpec(model=profile.model, text=read, tasks=zero_shot, points=points)


def _point(profile, setting):
    if setting is None:
        return StudyRecipe(setting=None, pruned=None)
    target = setting.allocation.target
    rng = np.random.default_rng(int(setting.replace(calibration_seed=0).key[:8], 16))
    moved = 0.0 if setting == setting.uniform else 0.03
    units = [depth(profile), len(LINEARS)][: 1 + setting.allocation.base.per_linear]
    sparsity = np.clip(target + moved * rng.standard_normal(units), 0, 0.95).round(6)
    drawn = profile.text.replace(content="invented calibration", windows=((0, setting.calibration_seed),) * 16)
    pruned = ExactRecipe(
        pruner=setting.pruner,
        sparsity=sparsity.tolist(),
        pattern=setting.pattern,
        true_sequential=setting.true_sequential,
        calibration=drawn if setting.treatment.reads_text else None,
        repair_method=setting.treatment.repair_method,
        **{name: getattr(setting, name) for name in Repairs.model_fields},
    )
    return StudyRecipe(setting=setting, pruned=pruned)


def as_allocated(spec, profile):
    """The same study with each allocation as it is with a profile, instead of an invented one."""

    def exact(point):
        if point.setting is None:
            return point
        numbers = Manual(sparsity=allocate(point.setting.allocation, profile).exact.tolist()).sparsity
        return point.replace(pruned=point.pruned.replace(sparsity=numbers))

    return spec.replace(points=tuple(map(exact, spec.points)))


def evaluated(point, windows, layers=30, cost=invented_cost):
    """Losses whose windows differ much more from each other than settings do on one window."""
    setting = point.setting
    hard = 2.5 + 0.4 * np.random.default_rng(7).standard_normal(windows)
    if setting is None:
        return Losses(
            nll=hard, kl=np.zeros(windows), agreement=np.ones(windows), zeros=np.zeros((layers, len(LINEARS)))
        )
    rng = np.random.default_rng(int(setting.key[:8], 16))
    noise = 0.02 * rng.standard_normal(windows)
    rise = cost(setting) + noise - noise.mean() + 0.01 * setting.calibration_seed
    planned = np.array(point.pruned.sparsity)
    zeros = planned if planned.ndim > 1 else np.repeat(planned[:, None], len(LINEARS), axis=1)
    return Losses(nll=hard + rise, kl=0.8 * rise, agreement=np.exp(-0.5 * np.abs(rise)), zeros=zeros)


def answered(point, task, examples=200):
    """Answers that are right less often the more is pruned."""
    rng = np.random.default_rng(int(hashlib.sha256(task.encode()).hexdigest()[:8], 16))
    luck = rng.random(examples)
    share = 0.6 if point.setting is None else 0.6 - 0.1 * min(invented_cost(point.setting), 2.0)
    right = (luck < share).astype(float)
    return ZeroShot(document=np.arange(examples, dtype=float), acc=right, acc_norm=right)


def save_study(
    root, spec, profile = None, cost = invented_cost, broken = MappingProxyType({}),
    text = "invented evaluation text", request = None, model = "invented model", warnings = MappingProxyType({}),
):  # fmt: skip
    """Write a whole study to a cache folder and return its key.

    Args:
        broken: setting -> the layer from which on nothing is finite.
        request: as which it says that it was asked.
        warnings: setting -> what pruning it warned of.
    """
    store = Store(root)
    told = TOLD | {"model": model, "text": text, "calibration": "invented calibration text", "profile": profile}
    for point in spec.points:
        result = evaluated(point, spec.text.sequences, depth(spec), cost)
        layer = broken.get(point.setting)
        if layer is not None:
            result = replace(result, nll=np.full_like(result.nll, np.nan))
        store.save(spec.evaluated(point), result, told | {"broken": layer, "warnings": warnings.get(point.setting, [])})
        for unit in spec.zero_shot(point):
            store.save(unit, answered(point, unit.task.name), told)
    store.save(spec, None, told | ({"request": request.model_dump(mode="json")} if request else {}))
    return spec.key


def save_training(store, spec, divergences, steps=160):
    """Keep what a training of the last point has come to, its divergences on windows held back."""
    path = distillation_folder(store, spec.model, spec.points[-1].pruned)
    path.mkdir(parents=True)
    save_file({"looks": 1024.0 * np.arange(0, steps + 1, 10), "divergences": np.array(divergences)}, path / TRAINING)


# --- linears -------------------------------------------------------------------------------------------------------

LINEARS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
    "mlp.down_proj",
)  # fmt: skip


def linears_spec(layers=30, sparsities=(0.5, 0.7, 0.9), preset="paper"):
    """A profile in which each linear was pruned alone too."""
    plain = profile_spec(layers, preset=preset, prunable=True)
    alone = measurements.measurements(
        ResidualLinear(pruner="wanda", sparsity=sparsity, linear=name) for name in LINEARS for sparsity in sparsities
    )
    return plain.replace(measurements=(*plain.measurements, *alone))


def _start_of_linear(asked, layers):
    """A share of the layer's drift: that of later linears is larger, and in the middle layers that of the first."""
    across = np.linspace(0, 1, layers)
    place = LINEARS.index(asked.linear)
    share = (0.2 + 0.08 * place) * (1 + 0.6 * np.cos(np.pi * (across + place / len(LINEARS))))
    return share * asked.sparsity**2 * (0.15 + 0.4 * (across - 0.4) ** 2)
