"""Pass 1: the clean run, and what is measured once beside it: scores, spectra, removals, other checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch

from core.ask.measurements import ProfileSpec
from core.base.spec import Spec
from core.kinds import Perturbation
from core.measure import beside
from core.measure.perturb import Moments
from core.measure.removal import removal
from core.measure.scores import scores
from core.measure.statistics import statistics
from core.measure.weights import weights
from core.models import work
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Account
from core.models.windows import Windows
from core.store.cache import Store


@dataclass(frozen=True)
class FirstPass:
    """What a profile holds that no perturbation is part of; each unit is saved once it is measured."""

    loaded: Loaded
    windows: Windows
    profile: ProfileSpec
    store: Store
    device: torch.device
    shape: Outline
    others: Mapping[str, Loaded]  # checkpoints to compare with, as the profile names them
    lacks: Callable[[Spec], bool]  # whether a unit is to be measured here and yet to be found
    account: Account

    @property
    def work(self) -> float:
        """FLOP of everything that it will measure."""
        lacks, profile, shape = self.lacks, self.profile, self.shape
        runs = 1 + 2 * sum(map(lacks, map(profile.cumulative, self.others)))
        looked = lacks(profile.scores) * work.looks(shape) + lacks(profile.weights) * work.spectra(shape)
        return runs * self._clean + looked + lacks(profile.removed) * work.removing(shape)

    @property
    def _clean(self) -> float:
        """FLOP of one run of the whole text."""
        return work.forward(self.shape, self.profile.text.sequences * self.profile.text.length)

    def run(self, asked: Iterable[Perturbation], warn: Callable[[str], object]) -> Moments:
        """Measure what is missing of it.

        Args:
            asked: perturbations that will be measured with the moments.
            warn: told in a sentence what pruning had to help along.

        Raises:
            UserError: a residual is asked of a model that cannot be pruned, or the clean run is not finite.
        """
        moments = self._statistics(list(asked), warn)
        self._weights()
        self._compare()
        return replace(moments, others={name: other.layers for name, other in self.others.items()})

    def _statistics(self, asked: list[Perturbation], warn: Callable[[str], object]) -> Moments:
        lacks, profile, shape, tokens = self.lacks, self.profile, self.shape, self.windows.tokens
        wanted = {found for each in asked if each.treatment for found in ("none", *each.treatment.statistics)}
        wanted |= {"norm"} if lacks(profile.scores) else set()  # what scores are made of
        wanted |= {"second_moment"} if lacks(profile.removed) else set()
        step = self._by_sequence("pass 1, clean run", self._clean)
        covariance = any(each.covariance for each in asked)
        activation, moments = statistics(self.loaded, tokens, wanted, covariance, step, warn)
        if lacks(profile.activation):
            self.store.save(profile.activation, activation, {})
        if lacks(profile.scores):
            step = self._by_layer("scores of the weights", work.looks(shape))
            self.store.save(profile.scores, scores(self.loaded, moments.input_norm, step), {})
        if lacks(profile.removed):
            step = self._by_layer("errors of removed weights", work.removing(shape))
            found = removal(self.loaded, moments.second_moment, tokens.numel(), step)
            self.store.save(profile.removed, found, {})
        return moments

    def _weights(self) -> None:
        if self.lacks(self.profile.weights):
            step = self._by_layer("spectra of the weights", work.spectra(self.shape))
            self.store.save(self.profile.weights, weights(self.loaded, step), {})

    def _compare(self) -> None:
        """How far other checkpoints differ, and what the whole of each does to the text."""
        for name, other in self.others.items():
            weighed, run = self.profile.difference(name), self.profile.cumulative(name)
            if self.lacks(weighed):
                step = self._by_layer("differences of the weights", 0)
                self.store.save(weighed, beside.difference(self.loaded, other, step), {})
            if self.lacks(run):
                step = self._by_sequence("the whole other checkpoint", 2 * self._clean)
                self.store.save(run, beside.cumulative(self.loaded, other, self.windows.tokens, step), {})

    def _by_layer(self, what: str, took: float) -> Callable[[int], None]:
        return self.account.by_layer(f"{what}:", self.shape.layers, took)

    def _by_sequence(self, what: str, took: float) -> Callable[[int], None]:
        count = self.profile.text.sequences

        def step(index: int) -> None:
            self.account.add(took / count)
            self.account.say(f"{what}: sequence {index + 1} of {count}")

        return step
