"""The perplexity that other evaluated settings predict for one, beside what it was measured to be."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

import numpy as np

from core.ask.settings import Setting
from core.base.errors import UserError
from core.results.anchors import Anchors, Prediction
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.show.words import forecast
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import studies


class Forecast(NamedTuple):
    """A prediction of one setting by others."""

    anchors: Anchors  # without the setting itself
    found: Prediction
    measured: EvaluatedSetting | None  # the setting itself, by the same protocol

    @property
    def said(self) -> str:
        return forecast.one(self.anchors, self.found, self.measured)


def of(setting: Setting, exact: Array, profile: Profile) -> Forecast:
    """Predict a setting from the others of its pruner and repair.

    Args:
        exact: (layers,) or (layers, linears), its sparsity.

    Raises:
        UserError: why nothing predicts it.
    """
    if setting.pattern or setting.true_sequential:
        raise UserError("neither an N:M pattern nor true-sequential pruning is predicted")
    among = tuple(studies.groups(profile).values())
    found, why = studies.anchors_of(among, profile, setting.treatment, exact.ndim == 2)
    if found is None:
        raise UserError(why)
    same = tuple(
        (one.planned.shape == exact.shape and np.allclose(one.planned, exact)) or one.setting == setting.seedless
        for one in found.settings
    )
    others = _without(found, same)
    measured = next(compress(found.settings, same), None) if looked_alike(found.study, setting, profile) else None
    return Forecast(others, others.one(exact), measured)


@lru_cache(maxsize=64)
def _without(found: Anchors, some: tuple[bool, ...]) -> Anchors:
    """The anchors but for some, fitted once for all readers."""
    kept = (one for one, left_out in zip(found.settings, some, strict=True) if not left_out)
    return replace(found, settings=tuple(kept))


def looked_alike(results: Evaluations, setting: Setting, profile: Profile) -> bool:
    """Whether a setting is the allocation of this profile where these results have it."""
    asked = setting.allocation
    return not (asked.base.profiled or asked.correction.strength) or profile.entry.key in results.profiles
