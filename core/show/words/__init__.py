"""Names on screen of measured things: perturbations, profiles, columns."""

import math
from collections.abc import Sequence

import numpy as np

from core.base import distinct, listed, model_name, profile_names
from core.methods import Perturbation
from core.requests import ProfileSpec
from core.store import Array, Entry, Profile

POSITIONS = {"after_first": "all but the first token", "all": "all tokens"}
MOST_DECIMALS = 6


def family(profile: Profile, name: str) -> list[str]:
    """Everything measured that differs from `name` in its strength alone, weakest first."""
    wanted = profile.perturbations[name]
    alike = [other for other, asked in profile.perturbations.items() if wanted.is_kin(asked)]
    return sorted(alike, key=lambda other: profile.perturbations[other].strength)


def perturbation(perturbation: Perturbation) -> str:
    """A perturbation and its positions where they are not the usual ones, in one line."""
    return perturbation.label + (f", {POSITIONS['all']}" if getattr(perturbation, "positions", "") == "all" else "")


def by_positions(profile: Profile) -> dict[str, dict[str, str]]:
    """Name at `after_first` -> positions measured -> name there; kinds without a choice are under `all`."""
    by_base = {}
    for name, perturbation in profile.perturbations.items():
        positions = getattr(perturbation, "positions", None)
        base = perturbation.replace(positions="after_first").name if positions else perturbation.name
        by_base.setdefault(base, {})[positions or "all"] = name
    return by_base


def column(values: Array) -> str:
    """Format of a table's column: equal decimals in each row, thousands set apart, four digits in a middling row.

    Small values keep two digits; a column that spans too much for that has four digits in each row.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not sizes.size:
        return "%,.0f"
    wanted = max(_decimals(float(np.median(sizes)), 4), _decimals(float(sizes.min()), 2))
    if wanted > MOST_DECIMALS:
        return "%.4g"
    rounded = np.round(sizes, wanted)
    return f"%,.{next(few for few in range(wanted + 1) if (np.round(sizes, few) == rounded).all())}f"


def _decimals(value: float, count: int) -> int:
    """Behind the point, for so many significant digits."""
    return max(0, count - 1 - math.floor(math.log10(value)))


def described(entry: Entry) -> profile_names.Described:
    """Parts that names of a profile are made of."""
    text, provenance = entry.spec.text, entry.provenance
    model, read = str(provenance.get("model", "?")), str(provenance.get("text", "?"))
    others = (provenance.get("checkpoints", {}).get(each, each) for each in entry.spec.others.values())
    return profile_names.Described(
        model,
        read,
        text.sequences,
        text.length,
        str(provenance.get("created", ""))[:19].replace("T", " "),
        _known(entry.spec),
        listed(map(model_name, others)),
    )


def _known(spec: ProfileSpec) -> str:
    """`noise, pruning, every linear`: what a profile measured of each layer."""
    kinds = [each.perturbation for each in spec.measurements]
    units = {each.treatment.budget_unit.name for each in kinds if each.prunes == "linear"}
    names = {
        "noise": any(each.kind in ("gaussian", "covariance") for each in kinds),
        "pruning": any(each.prunes == "layer" for each in kinds),
        "skipping": {each.kind for each in kinds} == {"skip"},
        "every linear": spec.sketch is not None or "zeros" in units,
        "few bits": spec.sketch is not None or units - {"zeros"},
        "parts": any(each.kind == "skip_part" for each in kinds),
    }
    return ", ".join(name for name, knows in names.items() if knows)


def beside_curves(profiles: Sequence[Profile]) -> list[str]:
    """Names that tell several profiles apart; different texts are always named."""
    described_all = [described(each.entry) for each in profiles]
    several = len({profile_names.text(each.text) for each in described_all}) > 1
    short = [
        profile_names.short(each.model) + f" on {profile_names.text(each.text)}" * several for each in described_all
    ]
    return distinct((name, *profile_names.forms(each)) for name, each in zip(short, described_all, strict=True))


def named(profile: Profile) -> str:
    """Model and text of a profile by their short names."""
    about = described(profile.entry)
    text = f"{profile_names.part(about.text)} {about.sequences} × {about.length}"
    return f"{about.model} · {text}"
