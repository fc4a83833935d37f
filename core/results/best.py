"""The best setting of a model: what was chosen, what the final text says of it, and what makes it again. No torch."""

import json
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.base import Estimate, UserError, frozen
from core.requests import (
    BestRequest,
    BestSpec,
    CommandRequest,
    ExportRequest,
    Recipe,
    command_line,
    export_format,
)
from core.results import study_results
from core.results.comparison import Change
from core.results.forecast import Prediction
from core.results.search_plan import final_request, profile_request
from core.results.setting_result import Result
from core.results.study_results import Study
from core.results.text_splits import unsplit
from core.store import Entry, Store


class BestProvenance(BaseModel):
    """Provenance of a best setting, which cannot be shown without its request."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    model: str = ""
    request: BestRequest
    texts: dict[str, str] = {}
    left_out: tuple[str, ...] = ()
    predicted: int = 0
    forecasts: dict[str, Prediction] = {}  # of allocations


@frozen
class Best:
    """A search's winner, and how it does on the final text."""

    spec: BestSpec
    provenance: BestProvenance
    selection: Study
    final: Study

    @property
    def winner(self) -> Recipe:
        """The best on the selection text."""
        return self.spec.winner

    @property
    def uniform(self) -> Recipe:
        return self.winner.uniform

    @property
    def fallback(self) -> Recipe:
        """Uniform where the winner does not hold; where a loss was asked, at the largest target within it."""
        even = (each.setting for each in self.final.settings if each.setting == each.setting.uniform)
        others = (each for each in even if each.allocation.target != self.uniform.allocation.target)
        return self.uniform if self.spec.max_loss is None else next(others, self.uniform)

    @property
    def request(self) -> BestRequest:
        """The request, every role with its documents; paths inside the project are relative to it."""
        return self.provenance.request

    @property
    def profile(self) -> str:
        """Key of the profile that the candidates looked at."""
        return self.spec.profile.key

    def predicted(self, candidate: Result) -> Prediction | None:
        """The prediction made of a candidate before it was evaluated; None without one."""
        if not (forecast := self.provenance.forecasts.get(candidate.setting.name)):
            return None
        return forecast._replace(off=forecast.loss_increase / (candidate.loss - self.selection.dense.loss) - 1)

    def judged(self, recipe: Recipe | None) -> Result:
        """A setting on the final text, over its calibration seeds; None: the dense model."""
        return self.final.dense if recipe is None else self.final.of(recipe)

    def against(self, recipe: Recipe, other: Recipe | None) -> Change:
        """Change of perplexity on the final text."""
        return self.judged(recipe).against(self.judged(other))

    @property
    def against_uniform(self) -> Change | None:
        """The winner against uniform; None where it is uniform."""
        return None if self.winner == self.uniform else self.against(self.winner, self.uniform)

    @property
    def only_uniform_breaks(self) -> bool:
        """True where uniform's loss on the final text is not a number and the winner's is: no interval exists then."""
        winner, uniform = (self.judged(each).finite for each in (self.winner, self.uniform))
        return winner and not uniform

    @property
    def holds(self) -> bool:
        """True where the winner is certainly better than uniform on the final text."""
        change = self.against_uniform
        return change is not None and (change.windows.high < 0 or self.only_uniform_breaks)

    @property
    def answer(self) -> Recipe:
        """The winner if it holds, else uniform."""
        return self.winner if self.holds else self.fallback

    @property
    def lost(self) -> Estimate:
        """Rise of perplexity from the dense model to the answer on the final text, per cent."""
        return self.against(self.answer, None).windows

    @property
    def candidates(self) -> list[Result]:
        """Every candidate on the selection text, the best first, broken ones last."""
        pruned = [each for each in self.selection.singles if each.setting is not None]
        return sorted(pruned, key=lambda each: each.loss if each.finite else math.inf)


def export_request(best: Best, request: BestRequest, folder: str) -> ExportRequest:
    """The answer as a folder that loads anywhere.

    Args:
        request: as it was typed, with paths that hold on this machine.
        folder: absolute.
    """
    calibration = request.calibration.replace(documents=best.request.calibration.documents)
    return request.to(
        ExportRequest, profile=best.profile, calibration=calibration, setting=best.answer, folder=folder,
        study=best.final.spec.key, format=export_format(best.answer.treatment), overwrite=request.overwrite,
    )  # fmt: skip


def provenance_of(entry: Entry) -> BestProvenance:
    """Typed provenance of an answer."""
    return BestProvenance.model_validate_json(json.dumps(entry.provenance))


def load(store: Store, entry: Entry) -> Best:
    """Read a stored best setting."""
    spec = entry.spec
    selection, final = (study_results.read(store, each, entry.provenance) for each in (spec.selection, spec.final))
    return Best(spec, provenance_of(entry), selection, final)


def whole_line(request: BestRequest) -> str | None:
    """`python -m core best ...`: profile, selection and judgement of every contender with all calibration seeds.

    None where its options cannot say what was asked: windows of several lengths, another packing, seed or start token,
    or documents that were named.

    Args:
        request: as it is stored, with the documents that each role was given.
    """
    return _line(unsplit(request))


def commands(best: Best, cache: Path | None = None) -> tuple[str, ...]:
    """Command lines that make the answer again: the profile it looks at, then pruning on the text that judges.

    Empty where the texts were asked for in a way that `prune` has no options for: lengths that differ, a packing, a
    start token in every window.

    Args:
        cache: what holds the results, where that is not the project's own.
    """
    request = best.request
    prune = _line(final_request(request, best.profile, ()).replace(settings=(best.answer,)), cache)
    lines = (prune,) if request.profile else (_line(profile_request(request), cache), prune)
    return lines if all(lines) else ()


def _line(request: CommandRequest, cache: Path | None = None) -> str | None:
    try:
        return command_line(request, cache=cache)
    except UserError:
        return None
