"""Requests and specs: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from core.requests.allocations import DEFAULT_METHOD, AllocationRequest, Control, Correction
from core.requests.command_table import CACHE, DEVICE, JSON, OPTIONS, Option
from core.requests.commands import CommandRequest, command_line, line, quoted, request_of
from core.requests.export_and_search import (
    COMPRESSED,
    FORMATS,
    BestRequest,
    BestSpec,
    ExportRequest,
    ExportSpec,
    export_format,
)
from core.requests.grammar import OF_ALLOCATION, OF_CORRECTION, read_allocation, write
from core.requests.inputs import (
    DEFAULT_CALIBRATION,
    DEFAULT_EVALUATION,
    Dtype,
    ModelSpec,
    OfModel,
    OfWindows,
    TextSpec,
    WindowRequest,
)
from core.requests.jobs import BY_REQUEST, JOBS, Request, Share, ShareRequest, Unfinished, cut, read_share
from core.requests.lab import (
    MOST_TOKENS,
    REMOVED,
    WORDS,
    Question,
    Talk,
    Task,
    TaskKind,
    Turn,
    check_layer,
    layers_of,
    question,
)
from core.requests.measurements import (
    EACH,
    FINER,
    OUTSIDE_WINDOWS,
    Measurement,
    MeasureRequest,
    Sketching,
    expanded,
    identified,
    methods_of,
    outside_sketching,
    sketching,
    stands_for,
    tensor_sketching,
)
from core.requests.parsing import (
    PROJECT,
    absolute,
    fraction,
    fractions,
    numbers,
    read_bytes,
    span,
    whole_path,
    with_absolute_paths,
    with_paths,
)
from core.requests.perturbations import PRESETS, in_order, perturbation
from core.requests.profile_specs import (
    ActivationSpec,
    CumulativeSpec,
    DifferenceSpec,
    FloorSpec,
    OutsideSketchSpec,
    PerturbedSpec,
    ProfileSpec,
    RemovalSpec,
    ScoreSpec,
    SketchSpec,
    TensorSketchSpec,
    WeightSpec,
)
from core.requests.recipe_names import spoken
from core.requests.recipes import TRAINED, Recipe, Repairs, read_recipe, uniform
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
from core.requests.study_file import STUDY_FILE, read_study, write_study
from core.requests.workload import Counts, ModelShape
