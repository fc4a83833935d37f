"""Measure the missing units of a profile, part by part; every finished part is saved at once."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache

from core.base import Spec, UserError, out_of_memory, runs
from core.measure.checkpoint_diff import cumulative, difference
from core.measure.engines import ENGINES, Group, half_precision_distance, largest_replay_error, prepare
from core.measure.first_pass import clean_statistics
from core.measure.perturb import Moments
from core.measure.shares import Sequences, rounding, share_of_units, unit_costs
from core.measure.sketch import sketched, sketched_outside
from core.measure.tensor_sketch import sketched_tensors
from core.measure.weights import removal, scores, weights
from core.methods import Perturbation
from core.models import REPLAY_TOLERANCE, Formats, Loaded, ProgressTracker, Windows, free_memory, machine
from core.requests import Measurement, ModelShape, ProfileSpec, Share, Sketching, workload
from core.store import Store, count, parts, results


@dataclass
class Sweep:
    """A running measurement."""

    loaded: Loaded
    windows: Windows
    profile: ProfileSpec
    store: Store
    shape: ModelShape
    tracker: ProgressTracker
    engine: str = "wavefront"
    share: Share | None = None  # None: all of it
    others: Mapping[str, Loaded] = field(default_factory=dict)  # checkpoints to compare with, as the profile names them
    formats: Mapping[str, Formats] = field(default_factory=dict)  # of the same, full names of linears to number formats

    def __post_init__(self):
        self.replay = None  # relative difference between a replayed clean layer and the model's own forward
        # Units that are measured whole, and measurements that are made in parts.
        self.units, self.sequences = share_of_units(self.profile, self.shape, self.share)
        self.costs = unit_costs(self.profile, self.shape)
        self.moments, self.seconds = Moments(), {}  # that pass 1 finds; by what took them
        self.speed = None  # work a second of a finished run by the fast engine; None for a short one
        self.warnings = []  # of the part in the making
        self.checked = set()  # batch sizes at which the replay was compared

    def run(self) -> None:
        """Measure every missing unit, of the share if there is one; then put together the units that are whole.

        Raises:
            UserError: a residual is asked of a model that cannot be pruned, or numbers overflow.
            Cancelled: the report function said so; finished parts stay.
        """
        missing = [each for each in self.sequences if self.store.measured(self.profile.unit(each)) is None]
        pending = {}
        for each in missing:
            finished = parts.finished(self.store, self.profile.unit(each))
            done = {first + n for first, part in finished.items() for n in range(count(part))}
            if left := [index for index in self.sequences[each] if index not in done]:
                pending[each] = left
        if pending or any(map(self._lacks, self.units)):
            self._passes(pending)
        for each in missing:
            self._assemble(each)

    def _passes(self, pending: Sequences) -> None:
        self.tracker.planned = self._planned(pending)
        began, sketched = time.perf_counter(), pending.pop(self.profile.sketch, [])
        with torch.inference_mode():
            self.moments = self._statistics([each.perturbation for each in pending], bool(sketched))
            self._read_off()
            self.seconds["statistics"] = time.perf_counter() - began
            self._floor()
            self._measure(pending)
        for name, other in self.others.items():
            takes = self.loaded, other, self.windows.tokens, self.formats.get(name, {}), self._warn
            self._once(self.profile.tensor_sketch(name), "sketch of the tensors: layer", sketched_tensors, *takes)
        if plan := self.profile.outside:
            self._once(self.profile.outside_sketch, "sketch outside the layers: type", sketched_outside, self.loaded,
                       self.windows.tokens, plan)  # fmt: skip
        plan = self.profile.sketch
        size = plan and machine.sketch_size(self.shape, self.profile.text, plan, self.profile.model.dtype, self._free())
        self._in_groups(sketched, size, self._sketch)
        took = time.perf_counter() - began
        if took > 1 and self.engine == "wavefront":
            self.speed = self.tracker.done / took

    def _lacks(self, unit: Spec) -> bool:
        """True if a unit beside the perturbed ones belongs to this run and is not stored."""
        return unit in self.units and self.store.measured(unit) is None

    def _planned(self, pending: Sequences) -> float:
        text, size = self.profile.text, self._size()
        planned = text.token_count + sum(work for unit, work in self.costs.items() if self._lacks(unit))
        for measurement, sequences in pending.items():
            groups = -(-len(sequences) // size)
            planned += groups * workload.measurement(self.shape, measurement, len(sequences) * text.length / groups)
        return planned

    def _size(self) -> int:
        """Sequences that are run at once."""
        return machine.group_size(self.shape, self.profile.text, self.profile.model.dtype, self._free())

    def _free(self) -> int:
        """Bytes that may be used where the model runs."""
        return int(machine.HEADROOM * free_memory(self.loaded.model.device))

    # -- pass 1 -----------------------------------------------------------------------------------------------------

    def _statistics(self, perturbations: list[Perturbation], sketched: bool) -> Moments:
        """The clean run. perturbations: those that will be measured with the moments, as the sketch may be too."""
        wanted = {found for each in perturbations if each.treatment for found in ("none", *each.treatment.statistics)}
        wanted |= {"norm"} if sketched or self._lacks(self.profile.scores) else set()  # what scores are made of
        wanted |= {"second_moment"} if self._lacks(self.profile.removed) else set()
        text, covariance = self.profile.text, any(each.covariance for each in perturbations)
        step = self.tracker.counted("pass 1, clean run: sequence", text.token_count, text.sequences)
        activation, moments = clean_statistics(self.loaded, self.windows.tokens, wanted, covariance, step)
        if self._lacks(self.profile.activation):
            self.store.save(self.profile.activation, activation, {})
        return replace(moments, warn=self._warn, others={name: other.layers for name, other in self.others.items()})

    def _read_off(self) -> None:
        """Measure numbers without a perturbation: of the weights, and of other checkpoints beside the model."""
        profile, loaded, tokens = self.profile, self.loaded, self.windows.tokens
        self._once(profile.scores, "scores of the weights: layer", scores, loaded, self.moments.norm)
        squared = self.moments.second_moment, tokens.numel()
        self._once(profile.removed, "errors of removed weights: layer", removal, loaded, *squared)
        self._once(profile.weights, "spectra of the weights: layer", weights, loaded)
        for name, other in self.others.items():
            self._once(profile.difference(name), "differences of the weights: layer", difference, loaded, other)
            self._once(
                profile.cumulative(name), "the whole other checkpoint: sequence", cumulative, loaded, other, tokens
            )

    def _once(self, unit: Spec, what: str, measure: Callable, *arguments: object) -> None:
        """Measure and save a unit, unless it is there."""
        if self._lacks(unit):
            plan = self.profile.outside
            counts = {cumulative: self.profile.text.sequences, sketched_outside: plan and len(plan.damages)}
            count = counts.get(measure, self.shape.layers)
            self.store.save(unit, measure(*arguments, self.tracker.counted(what, self.costs[unit], count)), {})

    # -- pass 2 -----------------------------------------------------------------------------------------------------

    def _floor(self) -> None:
        if self._lacks(self.profile.floor):
            group = self._prepared([0])
            rounded = self._part(group, rounding(self.profile), "noise floor")
            floor = results.Floor(drift=rounded.drift, half_precision=half_precision_distance(group))
            self.store.save(self.profile.floor, floor, {})

    def _measure(self, pending: Sequences) -> None:
        todo = sorted({index for sequences in pending.values() for index in sequences})
        self._in_groups(todo, self._size(), lambda sequences: self._group(sequences, pending))

    def _in_groups(self, todo: list[int], size: int, run: Callable[[list[int]], None]) -> None:
        """Run sequences that follow on each other together, so many at once; half as many where memory ends."""
        halved = False
        while todo:
            sequences = runs(todo)[0][:size]
            try:
                run(sequences)
            except Exception as error:
                if halved or size == 1 or not out_of_memory(error):
                    raise
                clear_device_cache()
                size, halved = size // 2, True
                self.tracker.say(f"out of memory: going on with {size} sequences at a time")
            else:
                todo = todo[len(sequences) :]

    def _group(self, sequences: list[int], pending: Sequences) -> None:
        group = self._prepared(sequences)
        for number, (measurement, wanted) in enumerate(pending.items(), 1):
            for run in runs([index for index in sequences if index in wanted]):
                what = f"{measurement.name} ({number} of {len(pending)}), sequences {run[0]} to {run[-1]}"
                part_group = group if run == sequences else self._prepared(run)
                began = time.perf_counter()
                self.warnings.clear()
                part = self._part(part_group, measurement, what)
                facts = {"seconds": time.perf_counter() - began, "warnings": self.warnings, "replay_error": self.replay}
                parts.save(self.store, self.profile.unit(measurement), run[0], part, **facts)
                for index in run:
                    wanted.remove(index)
                self.tracker.parts += 1
                self.tracker.say(f"saved: {what}")

    def _prepared(self, sequences: list[int]) -> Group:
        return prepare(self.loaded, self.windows.tokens, sequences, self.moments, self.profile.harm_stride)

    def _part(self, group: Group, measurement: Measurement, what: str) -> results.Perturbed:
        self._check_replay(group)
        took, layers = workload.measurement(self.shape, measurement, group.ids.numel()), self.shape.layers
        say = self.tracker.say
        part = ENGINES[self.engine](
            group, measurement, lambda at: say(f"{what}: layer {at} of {layers}", took * at / layers)
        )
        self.tracker.done += took
        broken = np.flatnonzero(~np.isfinite(part.kl).all(axis=1))
        if broken.size:
            dtype = self.profile.model.dtype
            advice = "choose a smaller size" if dtype == "float32" else f"in {dtype} it overflows; use float32"
            raise UserError(f"{measurement.name} at layer {broken[0]} leaves an output that is not finite: {advice}")
        return part

    def _check_replay(self, group: Group) -> None:
        if self.engine != "wavefront" or len(group.sequences) in self.checked:
            return
        self.checked.add(len(group.sequences))
        try:
            difference = largest_replay_error(group, lambda layer: self.tracker.say(f"checking layer {layer}"))
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            if out_of_memory(error):
                raise
            difference = float("inf")
        self.replay = max(difference, self.replay or 0.0)
        if not difference <= REPLAY_TOLERANCE[self.profile.model.dtype]:
            self.engine = "hooks"
            self.tracker.say("layers alone give other numbers: falling back to one full forward per injection layer")

    def _sketch(self, sequences: list[int]) -> None:
        plan, began = self.profile.sketch, time.perf_counter()
        took = workload.measurement(self.shape, plan, len(sequences) * self.profile.text.length)
        step = self.tracker.counted(f"{plan.name}: layer", took, self.shape.layers)
        part = sketched(self.loaded, self.windows.tokens, sequences, self.moments.norm, plan, step)
        parts.save(self.store, self.profile.unit(plan), sequences[0], part, seconds=time.perf_counter() - began)

    def _assemble(self, measurement: Measurement | Sketching) -> None:
        unit = self.profile.unit(measurement)
        result = parts.partial(self.store, unit)
        if self.store.measured(unit) is None:  # else another process was faster, and may have dropped its parts
            if result is None or count(result) != self.profile.text.sequences:
                if self.share:  # the last share puts it together
                    return
                raise RuntimeError(f"parts of {measurement.name} were lost on the way: ask again to measure them")
            self.store.save(unit, result, parts.summary(self.store, unit))
        parts.drop(self.store, unit)

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.tracker.say(text)
