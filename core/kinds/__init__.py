"""The kinds: base allocators, perturbations, currencies, pruners and repairs, each a file and a row here.

They lie below requests and above nothing but `core.base`: parameters, labels, formula, paper, and arithmetic on arrays
that they are given. A kernel that needs torch imports it where it runs.
"""

from typing import Annotated, Union

from pydantic import Field

from core.kinds.alphapruning import AlphaPruning
from core.kinds.block_influence import BlockInfluence
from core.kinds.checkpoint import Checkpoint
from core.kinds.covariance import Covariance
from core.kinds.currency import BITS, GGUF, INTEGERS, LAYERS, MIXED, ZEROS, Currency, left_out
from core.kinds.depth_ramp import DepthRamp
from core.kinds.dlp import Dlp
from core.kinds.gaussian import Gaussian
from core.kinds.lsa import Lsa
from core.kinds.manual import Manual
from core.kinds.owl import Owl
from core.kinds.part import ATTENTION, BLOCKS, MLP, GaussianPart, Mean, ResidualPart, SkipPart
from core.kinds.quantised import HALF
from core.kinds.repairs import CHAINS, REPAIRS
from core.kinds.residual import Residual
from core.kinds.residual_linear import ResidualLinear
from core.kinds.residual_rescaled import ResidualRescaled
from core.kinds.response import Response
from core.kinds.selection import Pattern, Warn
from core.kinds.skip import Skip
from core.kinds.treatments import (
    ANY,
    MOMENTS,
    NO_REPAIR,
    OF_ONE_LAYER,
    OF_ZEROS,
    PRUNERS,
    TREATMENTS,
    UNBOUND,
    USUAL,
    WITHOUT_TEXT,
    Statistic,
    Treatment,
    counting,
    treatment,
    usual_of,
)
from core.kinds.uniform import Uniform

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
)
CURRENCIES = (
    ZEROS,
    BITS,
    INTEGERS,
    MIXED,
    GGUF,
    LAYERS,
)

MEANT = {each.name: each for each in CURRENCIES}  # what a target can count
BASES = {form.model_fields["kind"].default: form for form in ALLOCATORS}
METHODS = {kind: form for kind, form in BASES.items() if not form.by_hand}
BASE_LABELS = {kind: form.label for kind, form in BASES.items()}
Base = Annotated[Union[ALLOCATORS], Field(discriminator="kind")]  # noqa: UP007 (made from the table)
FORMS = {form.model_fields["kind"].default: form for form in PERTURBATIONS}
Perturbation = Annotated[Union[PERTURBATIONS], Field(discriminator="kind")]  # noqa: UP007 (made from the table)
