"""The same layer of another checkpoint."""

from collections.abc import Callable
from typing import ClassVar, Literal, Self

from pydantic import Field

from core.base import model_name
from core.methods.perturbation import Injection, Kind, Stream


class Checkpoint(Kind):
    """The layer replaced by the same layer of another checkpoint on the clean input, at every token."""

    parts: ClassVar[tuple[str, ...]] = ("source",)
    example = "checkpoint:PATH"
    word = "checkpoint"
    about = (
        "The layer replaced by the same layer of another checkpoint of the same architecture: a pruned or quantised "
        "export, a fine-tune."
    )
    formula = r"d_i = f^{\text{other}}_i(h_{i-1}) - f_i(h_{i-1})"
    runs = 1
    compares = True

    kind: Literal["checkpoint"] = "checkpoint"
    source: str = Field(min_length=1, description="as a model is typed; in a spec, the beginning of its files' hash")

    @property
    def label(self) -> str:
        return f"Layer of {model_name(self.source)}"

    @property
    def short(self) -> str:
        return model_name(self.source)

    def sourced(self, read: Callable[[str], str]) -> Self:
        return self.replace(source=read(self.source))

    def apply(self, at: Injection) -> Stream:
        return at.replaced(self.source)


class CheckpointLinear(Checkpoint):
    """One linear replaced by the same linear of another checkpoint on the clean input, at every token."""

    parts = ("linear", "source")
    example = "checkpoint_linear:mlp.down_proj:PATH"
    word = "checkpoint, one linear"
    about = "One linear of the layer replaced by that of another checkpoint; `each` measures them one by one."
    formula = r"d_{i,j} = f^{\text{other}}_{i,j}(h_{i-1}) - f_i(h_{i-1})"
    compares = False

    kind: Literal["checkpoint_linear"] = "checkpoint_linear"  # type: ignore[assignment]  # kinds differ in this alone
    linear: str = Field(description="name of the linear inside its layer, as in mlp.down_proj; `each`: one by one")

    @property
    def label(self) -> str:
        return f"Only {self.linear.rpartition('.')[2]} of {model_name(self.source)}"

    def apply(self, at: Injection) -> Stream:
        return at.replaced(self.source, f"{self.linear}.")
