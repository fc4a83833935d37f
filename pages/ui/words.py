"""How measured things are called on screen, and how numbers are written."""

from __future__ import annotations

from core import specs
from core.profiles import Profile
from core.words import digits

POSITIONS = {"after_first": "all but the first token", "all": "all tokens"}
BASES = {
    "uniform": "Uniform",
    "owl": "OWL",
    "alphapruning": "AlphaPruning",
    "dlp": "DLP",
    "depth_ramp": "Depth ramp",
    "response": "Response",
    "manual": "set by hand",
}
PRUNERS = {"magnitude": "magnitude", "wanda": "Wanda", "sparsegpt": "SparseGPT"}


def label(asked: specs.Perturbation) -> str:
    """A perturbation in words, its positions left out: `Gaussian noise, size 0.3`."""
    if asked.kind == "gaussian":
        return f"Gaussian noise, size {specs.number(asked.size)}"
    if asked.kind == "covariance":
        return f"Noise shaped like the layer's output, size {specs.number(asked.size)}"
    if asked.kind == "residual":
        return f"Pruned by {PRUNERS[asked.pruner]}, {asked.sparsity:.0%} zeros"
    if asked.kind == "residual_linear":
        return f"{asked.linear} alone pruned by {PRUNERS[asked.pruner]}, {asked.sparsity:.0%} zeros"
    if asked.kind == "residual_rescaled":
        flipped = ", flipped" if asked.size < 0 else ""
        source = f"{PRUNERS[asked.pruner]}, {asked.sparsity:.0%} zeros"
        return f"Pruning error ({source}) at size {specs.number(abs(asked.size))}{flipped}"
    return "Layer left out"


def short(asked: specs.Perturbation) -> str:
    """What tells it from its family: `0.3`, `70%`."""
    if asked.kind == "residual":
        return f"{asked.sparsity:.0%}"
    return specs.number(asked.size) if hasattr(asked, "size") else "left out"


def strength(asked: specs.Perturbation) -> float:
    """The number that orders a family: size, sparsity, or 0."""
    return getattr(asked, "size", getattr(asked, "sparsity", 0.0)) if asked.kind != "residual" else asked.sparsity


def family(profile: Profile, name: str) -> list[str]:
    """Everything measured that differs from `name` in its strength alone, weakest first."""

    def kin(asked: specs.Perturbation) -> dict:
        varies = {"sparsity"} if asked.kind == "residual" else {"size"}
        return asked.model_dump(exclude=varies)

    wanted = kin(profile.perturbations[name])
    alike = [other for other, asked in profile.perturbations.items() if kin(asked) == wanted]
    return sorted(alike, key=lambda other: strength(profile.perturbations[other]))


def at_positions(asked: specs.Perturbation, positions: specs.Positions) -> str:
    """The name of the same perturbation at other positions; its own name where it has no choice."""
    if not hasattr(asked, "positions"):
        return asked.name
    return asked.model_copy(update={"positions": positions}).name


def by_positions(profile: Profile) -> dict[str, dict[str, str]]:
    """Name at `after_first` -> positions measured -> name there; kinds without a choice are under `all`."""
    found: dict[str, dict[str, str]] = {}
    for name, asked in profile.perturbations.items():
        base = at_positions(asked, "after_first")
        found.setdefault(base, {})[getattr(asked, "positions", "all")] = name
    return found


def times(factor: float, count: int = 2) -> str:
    """A ratio with two digits: `0.57×`, `3.1×`, `120×`."""
    return f"{digits(factor, count)}×"


def changed(factor: float) -> str:
    """A ratio as a verb: `grows 3.1×`, `shrinks to 0.57×`; `stays as large` where two digits show no change."""
    if times(factor) == times(1):
        return "stays as large"
    return f"grows {times(factor)}" if factor >= 1 else f"shrinks to {times(factor)}"


def source(profile: Profile) -> str:
    """Model, text and amount in one line."""
    text = profile.spec.text
    model, read = profile.provenance.get("model", profile.spec.model.content), profile.provenance.get("text", "text")
    return f"{model} · {read} · {text.sequences} sequences of {text.length} tokens"


def plain(text: str) -> str:
    """Words with names in them, not to be read as Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+!|$~:" else sign for sign in text)
