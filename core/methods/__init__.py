"""Allocators, perturbations, budget units, pruners and repairs: each has a file, and a row in a table here.

They lie below requests and above nothing but `core.base`: parameters, labels, formula, paper, and arithmetic on arrays.
A kernel that needs torch imports it where it runs.
"""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from core.methods.allocator import Allocator, Evidence, Parameter, steps
from core.methods.alphapruning import AlphaPruning
from core.methods.block_influence import BlockInfluence
from core.methods.blockwise import EPOCHS
from core.methods.budget_unit import (
    BITS,
    DROPPED,
    GGUF,
    INTEGERS,
    KQUANTS,
    LAYERS,
    MIXED,
    MIXED_GONE,
    ZEROS,
    Amounts,
    BudgetUnit,
    Level,
    dropped_layers,
    level_at,
)
from core.methods.checkpoint import Checkpoint, CheckpointLinear
from core.methods.damages import DAMAGES, SKETCHED, SKETCHED_KQUANTS, SPARSITIES, Damage, harmed_as
from core.methods.depth_ramp import DepthRamp
from core.methods.distillation import (
    CHUNK,
    LEARNING_RATE,
    MAX_CHECKS,
    PROMPT_TOKENS,
    TOKENS_AT_ONCE,
    TOKENS_PER_STEP,
    batch_of,
    check_steps,
    gradient,
    has_converged,
    learning_rate_share,
    steps_on,
    steps_within,
    windows_of_step,
)
from core.methods.dlp import Dlp
from core.methods.gaussian import Covariance, Gaussian
from core.methods.ggml import Packed, insist_on_ggml, pack
from core.methods.layer_part import ATTENTION, BLOCKS, MLP, GaussianPart, Mean, ResidualPart, Skip, SkipPart, head_of
from core.methods.lsa import Lsa, apart
from core.methods.manual import Manual
from core.methods.masked_weights import (
    VALIDATION_EVERY,
    MaskedWeights,
    adam,
    take_step,
    training_windows,
    validation_windows,
)
from core.methods.owl import OUTLIER_THRESHOLDS, Owl
from core.methods.perturbation import Injection, Kind, Stream
from core.methods.pruners import (
    DEFAULT_PRUNER,
    MOMENTS,
    PRUNERS,
    PRUNERS_WITHOUT_TEXT,
    SPARSIFIERS,
    Method,
    Statistic,
    pruners_counting,
)
from core.methods.quantisation import (
    HALF,
    OUTSIDE,
    QUANT_FORMATS,
    dequantise,
    fed_back,
    finer_formats,
    gguf_type,
    outside_types,
    quantise,
    rounded,
    stored_as,
)
from core.methods.refit import errors
from core.methods.residual import Residual, ResidualLinear, ResidualRescaled
from core.methods.response import CURVES, Response
from core.methods.selection import Pattern, Warn, least, pattern
from core.methods.sparsegpt import BLOCK
from core.methods.treatments import (
    ANY,
    CHAINS,
    NO_REPAIR,
    REPAIRS,
    REPAIRS_WITHOUT_BUDGET,
    SEARCHED,
    SINGLE_LAYER_TREATMENTS,
    TREATMENTS,
    Pruner,
    Repair,
    Repaired,
    Searched,
    Treatment,
    default_pruner,
    table_position,
    treatment,
)
from core.methods.uniform import Uniform

ALLOCATORS = (
    Uniform,
    Owl,
    AlphaPruning,
    Dlp,
    Lsa,
    BlockInfluence,
    DepthRamp,
    Response,
    Manual,
)
PERTURBATIONS = (
    Gaussian,
    GaussianPart,
    Covariance,
    Residual,
    ResidualLinear,
    ResidualPart,
    ResidualRescaled,
    Skip,
    SkipPart,
    Mean,
    Checkpoint,
    CheckpointLinear,
)
BUDGET_UNITS = (
    ZEROS,
    BITS,
    INTEGERS,
    GGUF,
    KQUANTS,
    LAYERS,
)

UNITS = {each.name: each for each in BUDGET_UNITS}  # that a target can count
STORED_UNITS = UNITS | {MIXED.name: MIXED}  # or could
BASES = {form.model_fields["kind"].default: form for form in ALLOCATORS}
METHODS = {kind: form for kind, form in BASES.items() if not form.by_hand}
BASE_LABELS = {kind: form.label for kind, form in BASES.items()}
PERTURBATION_KINDS = {form.model_fields["kind"].default: form for form in PERTURBATIONS}
if TYPE_CHECKING:
    Base = Allocator
    Perturbation = Kind
else:  # made from the tables
    Base = Annotated[Union[ALLOCATORS], Field(discriminator="kind")]  # noqa: UP007
    Perturbation = Annotated[Union[PERTURBATIONS], Field(discriminator="kind")]  # noqa: UP007
