"""The quick measurement, made again."""

from __future__ import annotations

import numpy as np

from core.analysis.gains import gains_of
from core.specs.formats import digits
from core.store.profiles import Profile

ROUNDING = 1e-3  # relative; what other processors and thread counts make of the same float32 arithmetic


def compared(fresh: Profile, cached: Profile, name: str) -> str:
    """How far a measurement made now differs from the cached one of the same text.

    Raises:
        UserError: one of them lacks the perturbation.
    """
    new, old = (gains_of(each.seeds(name)).value for each in (fresh, cached))
    if new.shape != old.shape:
        return f"They do not compare: the new profile has {len(new)} layers, the cached one {len(old)}."
    apart = float(np.nanmax(np.abs(new / old - 1)))
    if apart == 0:
        return "Gains measured here and now are equal to the cached numbers to the last digit."
    if apart < ROUNDING:
        bound = "millionth" if apart < 1e-6 else "thousandth"
        return f"Gains measured here and now differ from the cached ones by less than a {bound}, which is rounding."
    return (
        f"Gains measured here and now differ from the cached ones by up to {digits(100 * apart)}%, which is more than "
        "rounding: another processor, library or model file may be why."
    )
