"""Measure what is missing of a profile, part by part; every finished part is saved at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from core.ask.jobs import Share, cut
from core.ask.measurements import Measurement, ProfileSpec
from core.base.errors import UserError, out_of_memory
from core.base.formats import runs
from core.base.spec import Spec
from core.kinds import Gaussian
from core.measure.engines import ENGINES, Group, half_precision_distance, largest_replay_error, prepare
from core.measure.first_pass import FirstPass
from core.measure.perturb import Moments
from core.models import work
from core.models.loading import Loaded
from core.models.machine import HEADROOM
from core.models.outline import Outline
from core.models.placement import free_memory, release
from core.models.progress import Account, Report
from core.models.replay import REPLAY_TOLERANCE
from core.models.windows import Windows
from core.store import parts, results
from core.store.cache import Store

Piece = tuple[Spec, list[int], float]  # a unit, or a measurement with some sequences; and its work, as FLOP


@dataclass(frozen=True)
class Mine:
    """Units that are measured whole, and the sequences of each measurement."""

    units: frozenset[Spec]
    sequences: dict[Measurement, list[int]]


def mine(profile: ProfileSpec, shape: Outline, share: Share | None) -> Mine:
    """What a share holds; everything where none is named.

    Pass 1 belongs to every share, and so does what it alone tells. Sequences are dealt out in groups as large as a
    machine takes that has memory enough, so that the parts are those of an undivided run.
    """
    every = list(range(profile.text.sequences))
    if share is None:
        perturbed = {profile.unit(each) for each in profile.measurements}
        return Mine(frozenset(profile.units) - perturbed, dict.fromkeys(profile.measurements, every))
    pieces = [*_units(profile, shape), *_parts(profile, shape)]
    falls = zip(cut([took for *_, took in pieces], share.of), pieces, strict=True)
    own = [(what, group) for part, (what, group, _) in falls if part == share.part]
    sequences: dict[Measurement, list[int]] = {}
    for what, group in own:
        if group:
            sequences.setdefault(what, []).extend(group)
    return Mine(frozenset({profile.activation, *(what for what, group in own if not group)}), sequences)


def _units(profile: ProfileSpec, shape: Outline) -> Iterator[Piece]:
    """Units beside the perturbed ones."""
    took = {
        profile.weights: work.spectra(shape),
        profile.scores: work.looks(shape),
        profile.removed: work.removing(shape),
        **{
            profile.cumulative(other): 2 * work.forward(shape, profile.text.sequences * profile.text.length)
            for other in profile.others.values()
        },
        **{profile.difference(other): 0.0 for other in profile.others.values()},
        profile.floor: work.measurement(shape, profile.measurements[0], profile.text.length),
    }
    return ((unit, [], each) for unit, each in took.items() if unit in profile.units)


def _parts(profile: ProfileSpec, shape: Outline) -> Iterator[Piece]:
    """Every measurement of one group after another."""
    count, length = profile.text.sequences, profile.text.length
    size = work.group_size(shape, count, length, profile.model.dtype, None)
    for first in range(0, count, size):
        group = list(range(first, min(first + size, count)))
        for each in profile.measurements:
            yield each, group, work.measurement(shape, each, len(group) * length)


ROUNDING = {"float32": 2.0**-24, "bfloat16": 2.0**-9, "float16": 2.0**-12}


@dataclass
class Sweep:
    """A running measurement: what it works on, and what it has done so far."""

    loaded: Loaded
    windows: Windows
    profile: ProfileSpec
    store: Store
    device: torch.device
    shape: Outline
    report: Report
    engine: str = "wavefront"
    share: Share | None = None  # None: all of it
    others: Mapping[str, Loaded] = field(default_factory=dict)  # checkpoints to compare with, as the profile names them
    mine: Mine = field(init=False)
    account: Account = field(init=False)
    first_pass: FirstPass = field(init=False)
    seconds: dict[str, float] = field(default_factory=dict)
    replay: float | None = None  # relative difference between a replayed clean layer and the model's own forward
    warnings: list[str] = field(default_factory=list)  # of the part in the making
    checked: set[int] = field(default_factory=set)  # batch sizes at which the replay was compared

    def __post_init__(self) -> None:
        self.mine = mine(self.profile, self.shape, self.share)
        self.account = Account(self.report)
        self.first_pass = FirstPass(
            self.loaded, self.windows, self.profile, self.store, self.device, self.shape, self.others, self._lacks,
            self.account,
        )  # fmt: skip

    def run(self) -> None:
        """Measure every missing unit, or what is missing of a share; units that are whole then are put together.

        Raises:
            UserError: a residual is asked of a model that cannot be pruned, or numbers overflow.
            Cancelled: the report function said so; finished parts stay.
        """
        missing = [each for each in self.mine.sequences if self.store.measured(self.profile.unit(each)) is None]
        pending = {each: self._pending(each) for each in missing}
        if any(pending.values()) or any(map(self._lacks, self.mine.units)):
            self._plan(pending)
            with torch.inference_mode():
                self._passes([each for each in missing if pending[each]], pending)
        for each in missing:
            self._assemble(each)

    def _passes(self, missing: list[Measurement], pending: dict[Measurement, list[int]]) -> None:
        began = time.perf_counter()
        moments = self.first_pass.run((each.perturbation for each in missing), self._warn)
        self.seconds["statistics"] = time.perf_counter() - began
        began, swept = time.perf_counter(), self.account.done
        self._floor(moments)
        self._measure(pending, moments)
        self.seconds["sweep"] = time.perf_counter() - began
        if self.seconds["sweep"] > 1 and self.engine == "wavefront":
            rate = (self.account.done - swept) / self.seconds["sweep"]
            work.remember_rate(self.store, self.device.type, self.shape, self.profile.model.dtype, rate)

    def _lacks(self, unit: Spec) -> bool:
        """Whether a unit beside the perturbed ones is to be measured here and yet to be found."""
        return unit in self.mine.units and self.store.measured(unit) is None

    # -- the plan ---------------------------------------------------------------------------------------------------

    def _pending(self, measurement: Measurement) -> list[int]:
        finished = parts.finished(self.store, self.profile.unit(measurement))
        done = {first + n for first, part in finished.items() for n in range(part.sequences)}
        return [index for index in self.mine.sequences[measurement] if index not in done]

    def _plan(self, pending: dict[Measurement, list[int]]) -> None:
        length, size = self.profile.text.length, self._size()
        planned = self.first_pass.work
        for measurement, sequences in pending.items():
            groups = -(-len(sequences) // size)
            if groups:
                planned += groups * work.measurement(self.shape, measurement, len(sequences) * length / groups)
        if self._lacks(self.profile.floor):
            planned += work.measurement(self.shape, self._rounding, length)
        self.account.planned = planned

    def _size(self) -> int:
        """Sequences that are run at once."""
        return work.group_size(
            self.shape, self.profile.text.sequences, self.profile.text.length, self.profile.model.dtype,
            int(HEADROOM * free_memory(self.device)),
        )  # fmt: skip

    @property
    def _rounding(self) -> Measurement:
        return Measurement(perturbation=Gaussian(size=ROUNDING[self.profile.model.dtype]))

    # -- pass 2 -----------------------------------------------------------------------------------------------------

    def _floor(self, moments: Moments) -> None:
        if not self._lacks(self.profile.floor):
            return
        group = self._prepared([0], moments)
        rounded = self._part(group, self._rounding, "noise floor", 1)
        half = half_precision_distance(group) if self.profile.model.dtype != "float32" else np.zeros(self.shape.layers)
        self.store.save(self.profile.floor, results.Floor(drift=rounded.drift, half_precision=half), {})

    def _measure(self, pending: dict[Measurement, list[int]], moments: Moments) -> None:
        todo = sorted({index for sequences in pending.values() for index in sequences})
        size, halved = self._size(), False
        while todo:
            sequences = runs(todo)[0][:size]
            try:
                self._group(sequences, pending, moments)
            except Exception as error:
                if halved or size == 1 or not out_of_memory(error):
                    raise
                release(self.device)
                size, halved = size // 2, True
                self.account.say(f"out of memory: going on with {size} sequences at a time")
                continue
            todo = todo[len(sequences) :]

    def _group(self, sequences: list[int], pending: dict[Measurement, list[int]], moments: Moments) -> None:
        group = self._prepared(sequences, moments)
        for number, (measurement, wanted) in enumerate(pending.items(), 1):
            for run in runs([index for index in sequences if index in wanted]):
                what = f"{measurement.name} ({number} of {len(pending)}), sequences {run[0]} to {run[-1]}"
                part_group = group if run == sequences else self._prepared(run, moments)
                began = time.perf_counter()
                self.warnings.clear()
                part = self._part(part_group, measurement, what, len(run))
                took = time.perf_counter() - began
                parts.save(self.store, self.profile.unit(measurement), run[0], part, took, self.warnings, self.replay)
                for index in run:
                    wanted.remove(index)
                self.account.parts += 1
                self.account.say(f"saved: {what}")

    def _prepared(self, sequences: list[int], moments: Moments) -> Group:
        return prepare(self.loaded, self.windows.tokens, sequences, moments, self.profile.harm_stride)

    def _part(self, group: Group, measurement: Measurement, what: str, sequences: int) -> results.Perturbed:
        self._check_replay(group)
        took = work.measurement(self.shape, measurement, sequences * self.profile.text.length)

        def step(layer: int) -> None:
            self.account.say(f"{what}: layer {layer}", layer, took * layer / self.shape.layers)

        part = ENGINES[self.engine](group, measurement, step)
        self._check_finite(part, measurement)
        self.account.add(took)
        return part

    def _check_finite(self, part: results.Perturbed, measurement: Measurement) -> None:
        broken = np.flatnonzero(~np.isfinite(part.kl).all(axis=1))
        if broken.size:
            dtype = self.profile.model.dtype
            advice = "choose a smaller size" if dtype == "float32" else f"in {dtype} it overflows; use float32"
            raise UserError(f"{measurement.name} at layer {broken[0]} leaves an output that is not finite: {advice}")

    def _check_replay(self, group: Group) -> None:
        if self.engine != "wavefront" or len(group.sequences) in self.checked:
            return
        self.checked.add(len(group.sequences))
        try:
            found = largest_replay_error(group, lambda layer: self.account.say(f"checking layer {layer}", layer))
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            if out_of_memory(error):
                raise
            found, why = float("inf"), f"the layers cannot be called alone ({type(error).__name__})"
        else:
            why = f"a replayed layer differs by {found:.1e} from the model's own forward"
        self.replay = max(found, self.replay or 0.0)
        if not found <= REPLAY_TOLERANCE[self.profile.model.dtype]:
            self.engine = "hooks"
            self.account.say(f"{why}: falling back to one full forward per injection layer")

    def _assemble(self, measurement: Measurement) -> None:
        unit = self.profile.unit(measurement)
        found = list(parts.finished(self.store, unit).values())
        if self.store.measured(unit) is None:  # else another process was faster, and may have dropped its parts
            if sum(part.sequences for part in found) != self.profile.text.sequences:
                if self.share:  # who does the last share puts it together
                    return
                raise RuntimeError(f"parts of {measurement.name} were lost on the way: ask again to measure them")
            self.store.save(unit, results.merged(found), parts.summary(self.store, unit))
        parts.drop(self.store, unit)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.account.say(text)
