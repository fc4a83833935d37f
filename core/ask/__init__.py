"""What can be asked: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from core.ask.allocations import AllocationRequest, Correction
from core.ask.measurements import (
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
    measurements,
    methods_of,
)
from core.ask.models import Dtype, ModelSpec
from core.ask.perturbations import EACH, Perturbation, in_order, perturbation
from core.ask.requests import BestRequest, BestSpec, ExportRequest, ExportSpec
from core.ask.settings import PrunedSpec, Setting, Sparsity, uniform, with_twins
from core.ask.studies import EvaluatedSpec, EvaluationRequest, Point, StudyRequest, StudySpec, TaskSpec, ZeroShotSpec
from core.ask.texts import USUAL_CALIBRATION, USUAL_EVALUATION, TextSpec, WindowRequest
from core.base.errors import Broken, UserError
from core.base.spec import Positions, Spec, checked, key_of, number
from core.kinds import FORMS, Checkpoint, Gaussian, Manual, Residual, ResidualLinear, Uniform
from core.kinds.owl import OUTLIER_THRESHOLDS
