"""What can be asked: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from core.specs.allocations import AllocationRequest, Correction, Manual, Uniform
from core.specs.base import Positions, Spec, checked, key_of, number
from core.specs.errors import Broken, UserError
from core.specs.measurements import (
    OUTLIER_THRESHOLDS,
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
from core.specs.models import Dtype, ModelSpec
from core.specs.perturbations import (
    EACH,
    FORMS,
    Checkpoint,
    Gaussian,
    Perturbation,
    Residual,
    ResidualLinear,
    in_order,
    perturbation,
)
from core.specs.requests import BestRequest, BestSpec, ExportRequest, ExportSpec
from core.specs.settings import PrunedSpec, Setting, Sparsity, uniform, with_twins
from core.specs.studies import EvaluatedSpec, EvaluationRequest, Point, StudyRequest, StudySpec, TaskSpec, ZeroShotSpec
from core.specs.texts import USUAL_CALIBRATION, USUAL_EVALUATION, TextSpec, WindowRequest
