"""What the parts of a polish cost, in FLOP and in tokens of forward passes, and how long they take. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.models import effort, flops
from core.models.outline import Outline
from core.specs import EvaluationRequest, PolishRequest, Setting, StudyRequest


def study(request: PolishRequest, *settings: Setting) -> StudyRequest:
    """Settings on the text that accepts."""
    return request.to(StudyRequest, settings=settings, evaluation=EvaluationRequest(text=request.selection))


def judging(request: PolishRequest, *settings: Setting) -> StudyRequest:
    """Settings on the text that judges."""
    return study(request, *settings).model_copy(update={"evaluation": EvaluationRequest(text=request.final)})


@dataclass(frozen=True)
class Cost:
    """FLOP of every part of a polish; what is found in the store counts as if it were measured."""

    request: PolishRequest
    shape: Outline

    @property
    def start(self) -> float:
        """The dense model, the start and its uniform twin."""
        return flops.study_flops(self.shape, study(self.request), self._first + 1, self._first + 1, self._first)

    @property
    def judging(self) -> float:
        """The same and what was found, on the text that judges; 0 where there is none."""
        if self.request.final is None:
            return 0.0
        pruned = self._first + 1
        return flops.study_flops(self.shape, judging(self.request), pruned + 1, pruned + 1, pruned)

    @property
    def _first(self) -> int:
        """How many settings the start and its uniform twin are."""
        return 1 if self.request.setting == self.request.setting.uniform else 2

    @property
    def trial(self) -> float:
        """A move that is tried."""
        return flops.study_flops(self.shape, study(self.request), 1, 1, 1)

    @property
    def steps(self) -> float:
        """Two steps of every layer, or of every linear."""
        return self._changed(2 * [layer for layer in range(self.shape.layers) for _ in range(self._units)])

    def pairs(self, pairs: Sequence[tuple[int, int]]) -> float:
        """Pairs of layers or linears that trade a step."""
        return self._changed([min(each) // self._units for each in pairs])

    def within(self, work: float) -> int:
        """Tokens that are spent while a device does so much work, as `effort` counts it, by what a round takes.

        Pruning and solving take longer than they compute, and every linear is pruned at three levels for its steps.
        """
        treatment, text = self.request.setting.treatment, self.request.selection
        trial = effort.studying(self.shape, study(self.request), [treatment], dense=False)
        levels = 2 * self.shape.layers * effort.pruning_work(self.shape, treatment)
        changed = 2 * self.shape.layers * self._units
        read = effort.LOGIT * changed * self.request.probe * text.length * self.shape.vocabulary
        walked = effort.walk_work(self.shape, self.request.calibration, treatment)
        steps = self.steps - flops.walk_flops(self.shape, self.request.calibration) + walked + levels + read
        return self.tokens(work * self.round / (steps + trial))

    def _changed(self, starts: Sequence[int]) -> float:
        """Pruning, and reading a model for each change, which is run from its first changed layer on."""
        steps = flops.changed_flops(self.shape, self.request.probe, self.request.selection.length, starts)
        return steps + flops.walk_flops(self.shape, self.request.calibration)

    @property
    def _units(self) -> int:
        """How many of a layer's parts move by themselves."""
        return self.shape.linears if self.request.granularity == "linear" else 1

    @property
    def round(self) -> float:
        return self.steps + self.trial

    @property
    def token(self) -> float:
        """A token of a forward pass of the dense model."""
        length = self.request.selection.length
        return flops.clean_flops(self.shape, 1, length) / length

    def tokens(self, flop: float) -> int:
        """As so many tokens of forward passes."""
        return math.ceil(flop / self.token)
