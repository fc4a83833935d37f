"""The quick measurement, made again."""

from __future__ import annotations

import numpy as np

from core.base.formats import digits, several
from core.plan.gains import gains_of
from core.store.profiles import Profile

ROUNDING = 1e-3  # relative; what other processors and thread counts make of the same float32 arithmetic


def compared(fresh: Profile, cached: Profile, name: str) -> str:
    """How far a measurement made now differs from the cached one of the same text.

    Raises:
        UserError: one of them lacks the perturbation.
    """
    new, old = (gains_of(each.seeds(name)).value for each in (fresh, cached))
    if new.shape != old.shape:
        return (
            f"The two cannot be compared: the new profile has {several(len(new), 'layer')}, the stored one {len(old)}."
        )
    apart = float(np.nanmax(np.abs(new / old - 1)))
    if apart == 0:
        return "The gains measured just now equal the stored ones to the last digit."
    if apart < ROUNDING:
        bound = "millionth" if apart < 1e-6 else "thousandth"
        return f"The gains measured just now differ from the stored ones by less than a {bound}, which is rounding."
    return (
        f"The gains measured just now differ from the stored ones by up to {digits(100 * apart)} %. That is more than "
        "rounding: the processor, a library or the model file may differ."
    )
