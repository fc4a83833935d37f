"""What the tour says of whole allocations that were pruned and measured."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from core.ask.allocations import AllocationRequest
from core.ask.settings import PrunedSpec, Setting
from core.ask.studies import Point, StudySpec
from core.kinds.depth_ramp import DepthRamp
from core.kinds.owl import Owl
from core.plan.spread import allocate
from core.results import protocols
from core.show import lessons
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Evaluated
from tests.core.show.lessons.conftest import LAYERS


def study(
    store: Store,
    profile: Profile,
    perplexities: dict[Setting, float],
    created: str = "2026-01-01",
    *,
    seed: int = 0,
    calibrated: bool = False,
    looked_at: str | None = None,
) -> None:
    """A stored study with losses that give these perplexities; the dense model's is 10.

    Args:
        seed: of the text that judges, where it is another protocol's.
        calibrated: on windows that the calibration seed draws.
        looked_at: key of the profile that its allocations are of.
    """
    points = [Point(setting=None, pruned=None)]
    for setting in perplexities:
        row = tuple(allocate(setting.allocation, profile).sparsity.tolist())
        drawn = profile.spec.text.model_copy(update={"windows": ((0, setting.calibration_seed),)})
        pruned = PrunedSpec(pruner=setting.pruner, sparsity=row, calibration=drawn if calibrated else None)
        points.append(Point(setting=setting, pruned=pruned))
    text = profile.spec.text.model_copy(update={"content": f"text {seed}"})
    spec = StudySpec(model=profile.spec.model, text=text, points=tuple(points))
    for point, perplexity in zip(points, [10.0, *perplexities.values()], strict=True):
        nll = np.log(perplexity) + 0.01 * np.linspace(-1, 1, 9)
        found = Evaluated(nll=nll, kl=0 * nll, agreement=1 + 0 * nll, zeros=np.zeros((LAYERS, 7)))
        store.save(spec.evaluated(point), found, {})
    store.save(spec, None, {"created": created, "profile": looked_at})


def measured(store: Store, profile: Profile) -> protocols.Place | None:
    return lessons.measured(protocols.together(store, protocols.of_model(store, profile.spec.model)).values())


def test_without_a_study_nothing_is_said_to_be_measured(no_demo: Path, store: Store, standard: Profile) -> None:
    assert measured(store, standard) is None


@pytest.mark.parametrize(("of_ramp", "best"), [(20.0, "Depth ramp"), (90.0, "Uniform")])
def test_what_was_measured_comes_from_the_study(store: Store, standard: Profile, of_ramp: float, best: str) -> None:
    ramp = Setting(allocation=AllocationRequest(base=DepthRamp(beta=0.02)))
    other = Setting(allocation=AllocationRequest(target=0.5))
    study(store, standard, {ramp.uniform: 40.0, ramp: of_ramp, other: 15.0})
    found = measured(store, standard)
    assert [each.perplexity for each in found.settings] == pytest.approx([40, of_ramp])
    assert found.part.target == 0.7
    uniform, ramped = found.settings
    assert uniform.against_uniform is None
    assert ramped.against_uniform.value == pytest.approx(100 * (of_ramp / 40 - 1))
    estimates = lessons.estimated(found, standard)
    assert np.isfinite(estimates).all()
    told = lessons.measured_said(found, standard)
    assert re.match(rf"Measured at 70 % zeros, “{best}\b[^”]*” is best", told)
    right = (estimates[0] < estimates[1]) == (of_ramp > 40)
    assert f"The rank correlation between estimate and measurement is {1 if right else -1:.2f}" in told


def test_one_allocation_has_nothing_to_be_compared_with(store: Store, standard: Profile) -> None:
    study(store, standard, {Setting(): 40.0})
    assert "nothing to compare" in lessons.measured_said(measured(store, standard), standard)


def test_the_study_is_chosen_by_target_then_methods_then_settings(store: Store, standard: Profile) -> None:
    def at_target(target: float, *betas: float) -> list[Setting]:
        plain = AllocationRequest(target=target)
        ramps = [plain.model_copy(update={"base": DepthRamp(beta=beta)}) for beta in betas]
        return [Setting(allocation=each) for each in (plain, *ramps)]

    def found() -> tuple[float, int]:
        first = measured(store, standard)
        return first.part.target, round(first.settings[0].perplexity)

    study(store, standard, dict.fromkeys(at_target(0.6, 0.01, 0.02), 60.0))
    assert found() == (0.6, 60)
    said = lessons.measured_said(measured(store, standard), standard)
    assert "60 % zeros (nothing was measured at 70 %)" in said
    study(store, standard, dict.fromkeys(at_target(0.7, 0.01, 0.02), 72.0), seed=1)
    study(store, standard, dict.fromkeys(at_target(0.7, 0.01), 70.0), seed=2)
    assert found() == (0.7, 72)
    seeds = [each.model_copy(update={"calibration_seed": seed}) for each in at_target(0.7) for seed in range(4)]
    study(store, standard, dict.fromkeys(seeds, 73.0), seed=3)
    assert found() == (0.7, 72)  # one allocation calibrated four times is one to compare
    other = Setting(allocation=AllocationRequest(target=0.7, base=Owl(m=5)))
    study(store, standard, dict.fromkeys([*at_target(0.7, 0.01), other], 74.0), seed=4)
    assert found() == (0.7, 74)  # three methods before two that are as many settings


def test_the_tour_and_the_race_name_the_same_best_whichever_profile_led_to_it(store: Store, standard: Profile) -> None:
    ramp, owl = (Setting(allocation=AllocationRequest(base=each)) for each in (DepthRamp(beta=0.02), Owl(m=5)))
    study(store, standard, {ramp.uniform: 40.0, ramp: 30.0}, looked_at="a" * 16)
    study(store, standard, {owl.uniform: 40.0, owl: 20.0}, "2025-05-05", looked_at="b" * 16)
    found = measured(store, standard)
    raced, part = protocols.place(
        protocols.together(store, protocols.of_model(store, standard.spec.model)).values(), 0.7
    )
    assert [each.name for each in found.settings] == [each.name for each in raced.within(part)]
    assert re.search(r"“OWL” is best \(perplexity 20\.0: 50\.0 % \[", lessons.ranked(found))
    assert set(found.evaluations.profiles) == {"a" * 16, "b" * 16}
