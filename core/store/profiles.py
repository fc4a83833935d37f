"""A profile in memory: the units of one model on one text, ready for arithmetic. No torch."""

from collections import defaultdict
from dataclasses import field
from functools import cached_property

from core.base import Positions, UserError, frozen
from core.methods import Perturbation
from core.requests import Measurement, ProfileSpec
from core.requests.perturbations import in_order
from core.store.cache import Entry, Store
from core.store.results import Activation, Cumulative, Difference, Floor, Perturbed, Removal, Scores, Weights


@frozen
class OtherCheckpoint:
    """Another checkpoint compared with the model: the run of the whole of it, and its weights."""

    cumulative: Cumulative
    difference: Difference


@frozen
class Profile:
    """Everything measured of one model on one text."""

    entry: Entry
    activation: Activation
    floor: Floor
    weights: Weights | None  # None where the layers cannot be pruned
    scores: Scores | None
    perturbed: dict[Measurement, Perturbed]
    removal: Removal | None = None  # where it was asked for
    others: dict[str, OtherCheckpoint] = field(default_factory=dict)  # by perturbation that takes its layers

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def spec(self) -> ProfileSpec:
        return self.entry.spec

    @property
    def provenance(self) -> dict:
        """The request as typed, and where it ran: `model`, `text`, `device`, `dtype`, `versions`, `seconds`..."""
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
        found = defaultdict(list)
        for measurement, perturbed in self.perturbed.items():
            found[measurement.perturbation.name].append(perturbed)
        return {name: found[name] for name in self.perturbations}

    @cached_property
    def perturbations(self) -> dict[str, Perturbation]:
        """Perturbation name -> perturbation, by kind and size."""
        asked = in_order(measured.perturbation for measured in self.perturbed)
        return {each.name: each.told(self.provenance) for each in asked}

    def noise(self, positions: Positions = "after_first") -> dict[float, str]:
        """Size -> name of the isotropic noise that was measured at these positions, ascending."""
        known = ((name, asked) for name, asked in self.perturbations.items() if asked.isotropic)
        return dict(sorted((asked.size, name) for name, asked in known if asked.positions == positions))

    def seeds(self, name: str) -> list[Perturbed]:
        """The measured seeds of a perturbation.

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
    found = {unit: store.load(unit) for unit in spec.units}
    missing = [unit for unit, result in found.items() if result is None]
    if missing:
        named = ", ".join(unit.measurement.name if hasattr(unit, "measurement") else unit.key for unit in missing)
        raise UserError(f"profile {entry.key} lacks {named}: measure it again to fill the gap")
    return Profile(
        entry,
        found[spec.activation],
        found[spec.floor],
        found.get(spec.weights),
        found.get(spec.scores),
        {each: found[spec.unit(each)] for each in spec.measurements},
        found.get(spec.removed),
        {
            name: OtherCheckpoint(found[spec.cumulative(source)], found[spec.difference(source)])
            for name, source in spec.others.items()
        },
    )
