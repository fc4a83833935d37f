"""Invented profiles and studies, stored and read."""

from dataclasses import replace

import numpy as np

from core.requests import Measurement, perturbation, sketching
from core.results import protocols, study_results
from core.store import profiles
from tests import synthetic


def measurements(*names):
    return tuple(Measurement(perturbation=perturbation(name)) for name in names)


def seeds(name="gaussian:0.3", layers=12, sequences=8):
    """Results of one perturbation with one noise seed."""
    return [synthetic.perturbed(layers, sequences, *measurements(name))]


def with_gains(logs, start=0.3):
    """Results whose drift begins at `start` and has these `ln r`, (layers, sequences), spread evenly over the way."""
    layers, sequences = logs.shape
    depth = np.arange(layers)
    passed = (depth - depth[:, None]) / np.maximum(layers - 1 - depth, 1)[:, None]
    drift = np.where(passed >= 0, np.log(start) + passed * logs.T[..., None], np.nan).transpose(1, 2, 0)
    drift[-1, -1] = np.log(start)
    ratio = np.exp(drift[:, -1] - np.log(start))
    ratios = dict.fromkeys(("ratio", "ratio_q25", "ratio_q50", "ratio_q75"), ratio)
    [found] = seeds(layers=layers, sequences=sequences)
    return replace(found, log_drift=drift, drift=np.exp(drift).mean(-1), **ratios)


def stored(store, *names, layers=6, preset="quick", removal=False, sketch=False, **more):
    """A profile of these perturbations; without names those of the preset."""
    spec = synthetic.profile_spec(layers, 8, preset, **more).replace(removal=removal)
    spec = spec.replace(sketch=sketching(spec.text, "fast" if sketch == "fast" else "none")) if sketch else spec
    if names:
        spec = spec.replace(measurements=measurements(*names))
    spec = spec.replace(tensors=bool(spec.others))
    return profiles.load(store, store.profile(synthetic.save_profile(store.root, spec)))


def study(store, settings, of=None, **how):
    """A study of some settings.

    of: the spec of a profile, whose model it is of; that has six layers where none is named.
    how: fields of the study's text and tasks; all else as `save_study` takes it.
    """
    mine = {each: how.pop(each) for each in ("windows", "length", "text", "tasks") if each in how}
    if "label" in how:
        how["text"] = how.pop("label")
    spec = synthetic.study_spec(of or synthetic.profile_spec(6, 8, "quick"), settings, **mine)
    return study_results.load(store, store.by_key(synthetic.save_study(store.root, spec, **how)))


def groups(store, model):
    """Its studies put together by protocol."""
    return protocols.grouped_by_protocol(store, store.of_model(model, "study"))
