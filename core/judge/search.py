"""Search for the best recipe: profile, search, selection, final comparison. Every stage can be resumed."""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from core.base import UserError, unique
from core.judge.resolution import role_read, texts_of, with_documents
from core.methods import ANY, Treatment, validation_windows
from core.models import Loaded, ProgressTracker, Report, Windows, count_numbers
from core.models.provenance import provenance, without_project_path
from core.plan import allocate, check_bytes, within_bytes
from core.prune import profile_of
from core.requests import BestRequest, BestSpec, ModelShape, Recipe, Request, uniform
from core.results import (
    STEP,
    Forecast,
    Prediction,
    Study,
    best,
    candidates,
    default_anchors,
    forecast_of_study,
    load_forecasts,
    search_plan,
    study_results,
    text_splits,
    transferred_to,
)
from core.store import Entry, Profile, Store


@dataclass
class Search:
    """A running search. Every stage is a request of its own, loaded from the store if already finished."""

    original: BestRequest
    loaded: Loaded
    store: Store
    shape: ModelShape
    tracker: ProgressTracker  # of all stages as one run
    stage: Callable[[Request, Report], Entry]
    predicted: int = 0  # candidates
    study: Study | None = None  # on the selection text
    notes: list[str] = field(default_factory=list)
    predictions: dict[str, Prediction] = field(default_factory=dict)  # of recipes, before they were evaluated
    chosen: list[Recipe] = field(default_factory=list)  # recipes of the study

    def run(self) -> Entry:
        """Answer the request and save the view over its stages.

        Raises:
            UserError: a text is too short for its role, the profile is of another model or lacks response curves, no
                target keeps within the loss, or the model cannot be pruned.
            Cancelled: the report function said so; finished stages and pieces stay.
        """
        self.request = with_documents(self.original)  # every role with its documents
        counts = count_numbers(self.loaded.source, self.store)
        check_bytes(self.request, counts)
        texts = texts_of(self.request, self.loaded)
        if self.request.recover_minutes:
            validation_windows(search_plan.selection_request(self.request, None, ()).calibration.sequences)
        self.ahead = search_plan.planned(self.request, self.shape)  # work of stages to come, at most
        self.of_setting = self.ahead["selection"] / search_plan.most_evaluated(self.request)
        self.profile, self.outside = self._profile(texts), None
        if self.request.at_most is not None:
            wish = within_bytes(self.request, counts, self.profile)
            self.request, self.outside = self.request.replace(target=wish.target, at_most=None), wish.outside
        self.forecasts = load_forecasts(self.store, self.profile, self.request.treatments, self.request.final)
        first = Treatment(search_plan.response_pruner(self.request))
        self.treatments = [each.treatment for each in self.forecasts] or [first]  # whose candidates are predicted
        winner = self._select()
        fallback = candidates.fallback(winner, self.study, self.request.max_loss)
        request = search_plan.final_request(self.request, self.profile.key, {winner: 0, fallback: 0})
        final = study_results.load(self.store, self._run("final", request))
        spec = BestSpec(
            model=self.loaded.spec,
            profile=self.profile.spec,
            max_loss=self.request.max_loss,
            selection=self.study.spec,
            final=final.spec,
            winner=winner,
        )
        files = unique([path for each in texts.values() for path in each.files])
        plain = self.original.replace(folder=None, overwrite=False)  # an export is made each time
        self.store.remember(plain, spec, [*self.loaded.source.watched, *files])
        roles = {role: getattr(self.request, role) for role in text_splits.ROLES}
        stored = plain.replace(**roles, profile=self.request.profile)
        fields = provenance(self.loaded, files, self.store) | {
            "text": texts["final"].label,
            "texts": {role: each.label for role, each in texts.items()},
            "request": json.loads(without_project_path(stored.model_dump_json())),
            "profile": self.profile.key,
            "selection": self.study.spec.key,
            "final": final.spec.key,
            "left_out": unique(self.notes),
            "predicted": self.predicted,
            "forecasts": self.predictions,
        }
        entry = self.store.entry(self.store.save(spec, None, fields))
        if folder := self.original.folder:
            self._run("export", best.export_request(best.load(self.store, entry), self.original, folder))
        return entry

    def _profile(self, texts: dict[str, Windows]) -> Profile:
        """The named profile, else a stored one that contains the needed measurements, else a new one."""
        if not self.request.profile and not self.store.find(search_plan.profile_request(self.request)):
            stored = search_plan.holding(self.request, self.store, self.loaded.spec)
            key = next((each.key for each in stored if not role_read(each, self.request, texts)), None)
            self.request = self.request.replace(profile=key)
        key = self.request.profile or self._run("profile", search_plan.profile_request(self.request)).key
        profile = profile_of(key, self.loaded.source, self.store)
        if role := role_read(profile.entry, self.request, texts):
            raise UserError(f"profile {profile.key} has read the {role} text: name a profile of another text, or none")
        return profile

    def _select(self) -> Recipe:
        """Choose the winner: recipes are evaluated one by one, each chosen by the losses of those before it."""
        if self.request.target:
            self._best_at(self.request.target)
        else:
            self._best_at(self._sparsest())
            self._sparser()
        winner, repaired = self._winner(), self.request.treatments[-1]
        if ANY not in (self.request.pruner, self.request.repair) and repaired not in self.treatments:
            changed = Recipe(allocation=winner.allocation, **repaired._asdict())
            winner = self._lower(winner, changed, "repair", "The repair")
        if minutes := self.request.recover_minutes:
            repair = "+".join(filter(None, [winner.repair, "distill"]))
            trained = winner.replace(repair=repair, recover_minutes=minutes, recover_dtype=self.request.recover_dtype)
            winner = self._lower(winner, trained, "recovery", "The training")
        return winner

    def _lower(self, winner: Recipe, changed: Recipe, stage: str, what: str) -> Recipe:
        """The recipe with less loss on the selection text; a note is added if the change does not help."""
        [changed] = self._evaluate(changed, stage=stage)
        before, after = (self.study.single(each) for each in (winner, changed))
        if after.loss < before.loss:
            return changed
        figures = f"perplexity {after.perplexity:.4g}, {before.perplexity:.4g} without it"
        self.notes.append(f"{what} does not lower the loss on the text that selects ({figures}): it is left out.")
        return winner

    def _winner(self) -> Recipe:
        predicted = {each: math.log(self.predictions[each.name].perplexity) for each in self.chosen
                     if each.name in self.predictions}  # fmt: skip
        return candidates.choose(self.study, self.request.max_loss, predicted)

    def _best_at(self, target: float) -> None:
        """Evaluate uniform, then candidates that may beat the best so far, the best predicted first."""
        pool = search_plan.candidates(self.profile, search_plan.response_pruner(self.request), target, self.outside)
        self.predicted += len(pool.allocations) * len(self.treatments)
        self.notes += pool.left_out
        tried = set()  # titles, each with its treatment

        def following():
            return pool.best(self.study, self._forecasts(), self.treatments[0], tried)

        even = uniform(target, self.request.budget_unit.name).replace(outside=self.outside)
        first = following() or Recipe(allocation=even, **self.treatments[0]._asdict())
        self._evaluate(first.uniform)
        for recipe in islice(iter(following, None), search_plan.MOST - 1):
            tried.add((recipe.allocation.base.title, recipe.treatment))
            self._evaluate(recipe)

    def _sparsest(self) -> float:
        """Largest target at which response, or an anchor, keeps within the loss.

        It is predicted in steps of 1 %, tried, and predicted again from the measured loss.
        """
        rise, low, high = self.request.max_loss, 0.0, 1.0
        default = default_anchors(self.profile, self.treatments[0])
        if not self.forecasts:
            self._evaluate(*default)
        for _ in range(search_plan.TRIES):
            predictions = ((each.sparsest(default[-1].allocation, rise), each.treatment) for each in self._forecasts())
            allocation, treatment = max(predictions, key=lambda each: each[0].target)
            if (target := min(allocation.target, round(high - STEP, 2))) <= low:
                break
            [recipe] = self._evaluate(Recipe(allocation=allocation.replace(target=target), **treatment._asdict()))
            fits = candidates.loss(self.study, recipe) <= rise
            low, high = (target, high) if fits else (low, target)
        return self._winner().allocation.target

    def _sparser(self) -> None:
        """Evaluate the winner, and uniform, each at its largest target predicted to keep within the loss."""
        winner = self._winner()
        for recipe in (winner, winner.uniform):
            forecast = {each.treatment: each for each in self._forecasts()}[winner.treatment]
            sparsest = forecast.sparsest(recipe.allocation, self.request.max_loss)
            if recipe != winner or sparsest.target > recipe.allocation.target:
                self._evaluate(recipe.replace(allocation=sparsest))

    def _forecasts(self) -> list[Forecast]:
        """Forecasts on the selection text: stored ones transferred to it, else the recipes evaluated there."""
        if self.forecasts or self.study is None:
            return transferred_to(self.study, self.forecasts) if self.study else self.forecasts
        return [forecast_of_study(self.study, self.profile, self.treatments[0])]

    def _evaluate(self, *recipes: Recipe, stage: str = "selection") -> list[Recipe]:
        """Predict recipes, then evaluate them on the selection text beside those evaluated there before."""
        allowed, notes = candidates.possible((each.allocation for each in recipes), self.profile)
        self.notes += notes
        recipes = [
            each.replace(calibration_seed=self.request.seeds[0]) for each in recipes if each.allocation in allowed
        ]
        new = [each for each in recipes if each not in self.chosen]
        predicts = {each.treatment: each for each in self._forecasts()} if self.study else {}
        for recipe in (each for each in new if each.treatment in predicts):
            with suppress(UserError):  # beyond what was measured
                prediction = predicts[recipe.treatment].predict(allocate(recipe.allocation, self.profile).exact)
                if math.isfinite(prediction.high):
                    self.predictions[recipe.name] = prediction
        self.chosen += new
        study = search_plan.selection_request(self.request, self.profile.key, tuple(self.chosen))
        self.study = study_results.load(self.store, self._run(stage, study, len(new)))
        return recipes

    def _run(self, name: str, request: Request, times: int = 1) -> Entry:
        """Run a request as a stage of the search; stages before it are over. times: settings, of a selection."""
        stages, tracker, saved = [*self.ahead], self.tracker, self.tracker.parts
        self.ahead = {each: self.ahead[each] for each in stages[stages.index(name) :]}
        most = self.of_setting * times if name == "selection" else self.ahead[name]
        self.ahead[name] -= most

        def tell(progress):
            tracker.planned = tracker.done + (progress.total or most) + sum(self.ahead.values())
            tracker.parts = saved + progress.parts
            tracker.say(f"{name}: {progress.line}", progress.done)

        entry = self.stage(request, tell)
        tracker.done = tracker.highest
        return entry
