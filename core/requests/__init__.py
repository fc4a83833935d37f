"""Requests and specs: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from core.requests.allocations import AllocationRequest, Correction
from core.requests.export_and_search import FORMATS, BestRequest, BestSpec, ExportRequest, ExportSpec
from core.requests.inputs import (
    DEFAULT_CALIBRATION,
    DEFAULT_EVALUATION,
    Dtype,
    ModelSpec,
    OfModel,
    TextSpec,
    WindowRequest,
)
from core.requests.jobs import BY_REQUEST, JOBS, Request, Share, ShareRequest, Unfinished, cut, read_share
from core.requests.measurements import (
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
from core.requests.recipes import Recipe, uniform
from core.requests.studies import (
    EvaluatedSpec,
    EvaluationRequest,
    ExactRecipe,
    StudyRecipe,
    StudyRequest,
    StudySpec,
    TaskSpec,
    ZeroShotSpec,
)
from core.requests.workload import ModelShape
