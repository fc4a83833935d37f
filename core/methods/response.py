"""The allocation of least total harm, from what pruning one layer at a time was measured to do. Our own."""

from typing import Annotated, Literal

from pydantic import Field

from core.base import Array
from core.methods.allocator import Allocator, Evidence, Parameter
from core.methods.pruners import DEFAULT_PRUNER, SPARSIFIERS
from core.methods.treatments import SINGLE_LAYER_TREATMENTS, TREATMENTS, Treated

OBJECTIVES = {"drift": "final drift²", "kl": "divergence", "nll": "loss"}
CURVES = {name: label for name, label in SINGLE_LAYER_TREATMENTS.items() if TREATMENTS[name].pruner in SPARSIFIERS}
GRANULARITIES = {"layer": "layer", "linear": "matrix", "joined": "joined matrices", "both": "matrix or layer"}
TITLES = {"linear": "per matrix", "joined": "per joined matrices", "both": "per matrix or layer"}


class Response(Allocator):
    """Least total harm by measured one-layer-pruned responses; ours.

    The harm is the divergence by default: on the bundled model at 70% it served better than the squared final drift,
    as chosen on one text and seen on another (tests/bench/studies).
    """

    label = "Response"
    colours = ("#0E7490", "#5CC8E0")
    word = "response allocation"
    about = (
        "The allocation of least total harm, by what pruning each layer alone was measured to do: the budget is spent "
        "where a weight costs least."
    )
    formula = r"\min_s \textstyle\sum_i f_i(s_i)"
    caption = (
        "Ours: from what pruning each layer alone was measured to do, the allocation of least total harm for the "
        "budget. It is exact for the sum of these harms, but the layers of a pruned model do not simply add up."
    )
    measured = True

    kind: Literal["response"] = "response"
    # A search tries the harm to the output alone: predictions go by drift too, so least drift looks better than it is.
    objective: Annotated[Literal["drift", "kl", "nll"], Parameter("Harm by", OBJECTIVES, "harm by")] = Field(
        "kl", description="drift, kl or nll"
    )
    pruner: Annotated[Treated, Parameter("Pruned by", CURVES, "curves from", quiet=True)] = Field(
        DEFAULT_PRUNER, description="whose measured curves, as in wanda or wanda+refit"
    )
    granularity: Annotated[
        Literal["layer", "linear", "joined", "both"],
        Parameter("Budget per", GRANULARITIES, "budget per", "", True, ("layer", "linear"), TITLES),
    ] = Field(
        "layer",
        description="a budget per layer or per linear; joined: one format for linears that engines run as one matrix; "
        "both: per linear, and some layers left out",
    )

    def wish(self, evidence: Evidence) -> Array:
        return evidence.least_harm(self.pruner, self.objective, self.granularity)

    @property
    def per_linear(self) -> bool:
        return self.granularity != "layer"
