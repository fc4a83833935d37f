"""A profile in memory: the units of one model on one text, ready for arithmetic. No torch."""

from collections import defaultdict
from dataclasses import field
from functools import cached_property

from core.base import Positions, UserError, frozen
from core.methods import Perturbation
from core.requests import Measurement, ProfileSpec, in_order
from core.store.cache import Store
from core.store.entries import Entry
from core.store.results import (
    Activation,
    Cumulative,
    Difference,
    Floor,
    OutsideSketch,
    Perturbed,
    Removal,
    Scores,
    Sketch,
    TensorSketch,
    Weights,
)


@frozen
class OtherCheckpoint:
    """Another checkpoint compared with the model: its whole run, and its weights."""

    cumulative: Cumulative
    difference: Difference
    sketch: TensorSketch | None = None  # of comparisons since there is one


@frozen
class Profile:
    """Everything measured of one model on one text."""

    entry: Entry
    activation: Activation
    floor: Floor
    weights: Weights | None  # None if the layers cannot be pruned
    scores: Scores | None
    perturbed: dict[Measurement, Perturbed]
    removal: Removal | None = None  # if it was requested
    sketch: Sketch | None = None  # likewise
    outside: OutsideSketch | None = None  # of sketches since there is one
    others: dict[str, OtherCheckpoint] = field(default_factory=dict)  # by perturbation that takes its layers

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def spec(self) -> ProfileSpec:
        return self.entry.spec

    @property
    def provenance(self) -> dict:
        """The request as typed, and the place it ran: `model`, `text`, `device`, `dtype`, `versions`, `seconds`..."""
        return self.entry.provenance

    @property
    def layers(self) -> int:
        return self.activation.norm.shape[0]

    @property
    def sequences(self) -> int:
        return self.activation.norm.shape[1]

    @cached_property
    def by_name(self) -> dict[str, list[Perturbed]]:
        """Perturbation name -> its seeds in the order measured; perturbations by kind and size."""
        seeds = defaultdict(list)
        for measurement, perturbed in self.perturbed.items():
            seeds[measurement.perturbation.name].append(perturbed)
        return {name: seeds[name] for name in self.perturbations}

    @cached_property
    def perturbations(self) -> dict[str, Perturbation]:
        """Perturbation name -> perturbation, by kind and size."""
        ordered = in_order(measured.perturbation for measured in self.perturbed)
        return {each.name: each.told(self.provenance) for each in ordered}

    def noise(self, positions: Positions = "after_first") -> dict[float, str]:
        """Size -> name of the isotropic noise measured at these positions, ascending."""
        noise = ((name, each) for name, each in self.perturbations.items() if each.isotropic)
        return dict(sorted((each.size, name) for name, each in noise if each.positions == positions))

    def seeds(self, name: str) -> list[Perturbed]:
        """Measured seeds of a perturbation.

        Raises:
            UserError: it was not measured; the message lists what was.
        """
        if name not in self.by_name:
            raise UserError(f"{name} was not measured in {self.entry.key}: there are {', '.join(self.by_name)}")
        return self.by_name[name]


def load(store: Store, entry: Entry) -> Profile:
    """Read a profile's units.

    Raises:
        UserError: a unit is missing, for instance because it was corrupt and set aside.
    """
    spec = entry.spec
    results = {unit: store.load(unit) for unit in spec.units}
    missing = [unit for unit, result in results.items() if result is None]
    if missing:
        named = ", ".join(unit.measurement.name if hasattr(unit, "measurement") else unit.key for unit in missing)
        raise UserError(f"profile {entry.key} lacks {named}: measure it again to fill the gap")
    return Profile(
        entry,
        results[spec.activation],
        results[spec.floor],
        results.get(spec.weights),
        results.get(spec.scores),
        {each: results[spec.unit(each)] for each in spec.measurements},
        results.get(spec.removed),
        results.get(spec.sketch and spec.unit(spec.sketch)),
        results.get(spec.outside_sketch),
        {
            name: OtherCheckpoint(
                results[spec.cumulative(source)],
                results[spec.difference(source)],
                results.get(spec.tensor_sketch(source)),
            )
            for name, source in spec.others.items()
        },
    )
