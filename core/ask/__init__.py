"""What can be asked: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from core.ask.allocations import AllocationRequest, Correction
from core.ask.inputs import USUAL_CALIBRATION, USUAL_EVALUATION, Dtype, ModelSpec, OfModel, TextSpec, WindowRequest
from core.ask.jobs import BY_REQUEST, JOBS, Request, Share, ShareRequest, Unfinished, cut, read_share
from core.ask.measurements import (
    EACH,
    ActivationSpec,
    CumulativeSpec,
    DifferenceSpec,
    FloorSpec,
    Measurement,
    MeasureRequest,
    PerturbedSpec,
    ProfileSpec,
    RemovalSpec,
    ScoreSpec,
    WeightSpec,
    expanded,
    identified,
    methods_of,
    stands_for,
)
from core.ask.requests import FORMATS, BestRequest, BestSpec, ExportRequest, ExportSpec, as_asked_now
from core.ask.settings import PrunedSpec, Setting, uniform
from core.ask.studies import EvaluatedSpec, EvaluationRequest, Point, StudyRequest, StudySpec, TaskSpec, ZeroShotSpec
