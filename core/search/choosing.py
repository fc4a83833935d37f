"""From a request for the best setting to its answer: profile, search, selection, final comparison. All resumable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from core.ask import grammar
from core.ask.requests import BestRequest, BestSpec
from core.ask.settings import Setting, uniform
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.formats import per_cent
from core.evaluate.resolving import profile_of
from core.kinds.treatments import NO_REPAIR
from core.models import anatomy
from core.models.loading import Loaded, Reader
from core.models.outline import Outline
from core.models.progress import Progress, Report
from core.models.provenance import provenance, relative
from core.results import evaluations
from core.results.evaluations import Evaluations
from core.search import candidates, plan
from core.search.candidates import GRIDS, TARGETS, Grid
from core.search.roles import ROLES, cut, overlap
from core.store.cache import Entry, Request, Store
from core.store.profiles import Profile
from core.store.results import Array
from core.texts.windows import Windows, read, windows

Stage = Callable[[Request, Report], Entry]


@dataclass
class Relay:
    """Many stages told as one run: what is done is added up, what is ahead is known at most."""

    report: Report
    ahead: float  # FLOP of stages to come
    done: float = 0.0
    parts: int = 0

    def over(self, name: str, share: float, run: Callable[[Report], Entry]) -> Entry:
        """Run a stage of at most `share` FLOP. What it finds in the store is taken off the total."""
        self.ahead -= share
        began, parts, size = self.done, self.parts, share

        def tell(progress: Progress) -> None:
            nonlocal size
            size = progress.total * 1e6 if progress.total else size
            self.done = max(self.done, began + progress.done * 1e6)
            self.parts = parts + progress.parts
            total = max(began + size + self.ahead, self.done)
            line = f"{name}: {progress.line}"
            self.report(Progress(line, int(self.done / 1e6), int(total / 1e6), progress.layer, self.parts))

        return run(tell)


@dataclass
class Run:
    """A running choice. Every stage is a request of its own, found in the store if it was finished before."""

    asked: BestRequest
    loaded: Loaded
    store: Store
    shape: Outline
    report: Report
    stage: Stage
    left_out: list[str] = field(default_factory=list)
    trials: list[dict] = field(default_factory=list)
    request: BestRequest = field(init=False)  # as asked, every role with its documents
    parameters: Array = field(init=False)  # (layers, linears) prunable weights
    profile: Profile = field(init=False)
    relay: Relay = field(init=False)

    def run(self) -> Entry:
        """Answer the request and save the view over its stages.

        Raises:
            UserError: a text is too short for its role, a profile of another model, a loss that no target keeps
                within, or a model that cannot be pruned.
            Cancelled: the report function said so; finished stages and pieces stay.
        """
        self.request = with_documents(self.asked)
        texts = texts_of(self.request, self.loaded)
        self.parameters = anatomy.parameters(self.loaded.layers)
        shares = plan.planned(self.request, self.shape)
        tries = plan.trials(self.request)
        self.relay = Relay(self.report, sum(shares.values()) + (tries - 1) * shares["search"])
        self.profile = self._profile(shares["profile"], texts)
        target = self.request.target or self._search(shares["search"], tries)
        selection = self._select(target, shares)
        winner, runner_up = candidates.choose(selection)
        better = self._better(winner, shares)
        key, fallback = self.profile.entry.key, self._fallback(winner)
        asked = plan.final_request(self.request, key, winner, runner_up, fallback, better)
        final = self._study("final", shares["final"], asked)
        spec = BestSpec(
            model=self.loaded.spec,
            profile=self.profile.spec,
            max_loss=self.request.max_loss,
            selection=selection.spec,
            final=final.spec,
            winner=winner,
            runner_up=runner_up,
            better=better,
        )
        files = list(dict.fromkeys([path for each in texts.values() for path in each.files]))
        self.store.remember(self.asked, spec, [*self.loaded.source.watched, *files])
        return self.store.entry(self.store.save(spec, None, self._told(files, texts, selection, final)))

    # -- stages -----------------------------------------------------------------------------------------------------

    def _profile(self, share: float, texts: dict[str, Windows]) -> Profile:
        key = self.request.profile
        if key is None:
            asked = plan.profile_request(self.request)
            key = self.relay.over("profile", share, lambda report: self.stage(asked, report)).key
        found = profile_of(key, self.loaded.source, self.store)
        for role in ("selection", "final"):
            if found.spec.text.content == texts[role].spec.content or _reads(found, getattr(self.request, role)):
                raise UserError(
                    f"profile {found.entry.key} has read the {role} text: name a profile of another text, or none"
                )
        return found

    def _search(self, share: float, tries: int) -> float:
        """The largest target whose winner keeps within the loss on the selection text."""
        grid = GRIDS["quick"]
        ran: list[float] = []

        def fits(target: float) -> bool:
            found = self._study(per_cent(target), share, self._asked(self._candidates(grid, target)))
            ran.append(target)
            if not candidates.ranked(found):  # every candidate broke the model: there is no loss to tell
                return False
            winner, _ = candidates.choose(found)
            lost, even = (candidates.loss(found, each) for each in (winner, winner.uniform))
            self.trials.append(
                {
                    "target": target,
                    "allocation": grammar.words(winner.allocation),
                    "loss": lost,
                    "uniform": even if math.isfinite(even) else None,  # it may have broken the model
                }
            )
            return lost <= self.request.max_loss

        target = candidates.largest(TARGETS, fits)
        if target is None:
            least = min(self.trials, key=lambda each: each["target"], default=None)
            if least is None:
                raise UserError(
                    f"every candidate by {self.request.pruner} broke the model, at {per_cent(min(ran))} too"
                )
            raise UserError(
                f"even {per_cent(least['target'])} sparsity by {self.request.pruner} raises the perplexity by "
                f"{per_cent(least['loss'])}: allow more than {per_cent(self.request.max_loss)}"
            )
        self.relay.ahead -= share * (tries - len(ran))
        return target

    def _select(self, target: float, shares: dict[str, float]) -> Evaluations:
        """All candidates on the selection text; then, if the grid says so, the corrections of the best base too."""
        grid = GRIDS[self.request.effort]
        self.left_out.clear()  # what the search left out belongs to other targets
        asked = self._candidates(grid, target)
        found = self._study("selection", shares["selection"], self._asked(asked))
        if not grid.corrects_best:
            return found
        more = self._possible(candidates.corrections(candidates.best_base(found), grid.strengths))
        asked = tuple(dict.fromkeys([*asked, *more]))
        return self._study("corrections", shares["corrections"], self._asked(asked))

    def _better(self, winner: Setting, shares: dict[str, float]) -> tuple[Setting, ...]:
        """The winner repaired, if that lowers the loss on the selection text; else nothing."""
        if self.request.repair == NO_REPAIR:
            return ()
        repaired = winner.model_copy(update={"repair": self.request.repair})
        study = self._study("repair", shares["repair"], self._asked((winner, repaired)))
        if study.single(repaired).loss < study.single(winner).loss:
            return (repaired,)
        self.left_out.append("The repair does not lower the loss on the text that selects: it is left out.")
        return ()

    def _fallback(self, winner: Setting) -> Setting | None:
        """Uniform where it kept within the loss itself, for the case that the winner does not hold.

        None where no loss is asked, where it did so at no target, and where the winner's twin is the one.
        """
        if self.request.max_loss is None:
            return None
        target = candidates.kept_by_uniform(self.trials, self.request.max_loss)
        found = None if target is None else winner.model_copy(update={"allocation": uniform(target)})
        return None if found == winner.uniform else found

    def _candidates(self, grid: Grid, target: float) -> tuple[Setting, ...]:
        seed = self.request.seeds[0]
        return self._possible(candidates.candidates(grid, self.request.pruner, target, len(self.loaded.layers), seed))

    def _possible(self, asked: tuple[Setting, ...]) -> tuple[Setting, ...]:
        kept, notes = candidates.possible(asked, self.parameters, self.profile)
        self.left_out += [note for note in notes if note not in self.left_out]
        return kept

    def _asked(self, asked: tuple[Setting, ...]) -> Request:
        return plan.selection_request(self.request, self.profile.entry.key, asked)

    def _study(self, name: str, share: float, asked: Request) -> Evaluations:
        entry = self.relay.over(name, share, lambda report: self.stage(asked, report))
        return evaluations.load(self.store, entry)

    # -- telling ----------------------------------------------------------------------------------------------------

    def _told(self, files: list, texts: dict[str, Windows], selection: Evaluations, final: Evaluations) -> dict:
        return provenance(self.loaded, files, self.store, self.loaded.model.device) | {
            "text": texts["final"].label,
            "texts": {role: each.label for role, each in texts.items()},
            "request": public(self.request).model_dump(mode="json"),
            "profile": self.profile.entry.key,
            "selection": selection.spec.key,
            "final": final.spec.key,
            "left_out": self.left_out,
            "trials": self.trials,
        }


def _reads(profile: Profile, text: WindowRequest) -> bool:
    """Whether a profile says that it was drawn from documents of a text."""
    told = profile.provenance
    return told.get("text_source") == relative(text.source) and overlap(told.get("documents"), text.documents)


def public(request: BestRequest) -> BestRequest:
    """A request whose paths inside the project do not say where the project lies."""

    def shown(text: WindowRequest) -> WindowRequest:
        return text.model_copy(update={"source": relative(text.source)})

    texts = {role: shown(getattr(request, role)) for role in ROLES}
    return request.model_copy(update={"model": relative(request.model), **texts})


# --- at the door ---------------------------------------------------------------------------------------------------


def with_documents(asked: BestRequest) -> BestRequest:
    """The request with documents of its own for every role."""
    return cut(asked, lambda source: len(read(source).documents))


def texts_of(request: BestRequest, reader: Loaded | Reader) -> dict[str, Windows]:
    """The windows of every role.

    Raises:
        UserError: a text is too short for its role, or two roles read the same documents.
    """
    found: dict[str, Windows] = {}
    for role in ROLES:
        try:
            found[role] = windows(getattr(request, role), reader)
        except UserError as reason:
            raise UserError(f"the {role} text: {reason}") from reason
        first = next((each for each in found if found[each].spec.content == found[role].spec.content), role)
        if first != role:
            raise UserError(f"the {first} and the {role} text are the same: nothing may be chosen on its judge")
    return found
