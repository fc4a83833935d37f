"""A model as it is typed, and by content."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field

from core.base.spec import Spec, checked

Dtype = Literal["float32", "bfloat16", "float16"]
Other = TypeVar("Other", bound="OfModel")


class OfModel(Spec):
    """What is asked of a model, as it is typed."""

    model: str = Field("demo", description="demo, a Hub id, a folder, a .gguf file; random:<any of these>")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub model")
    dtype: Dtype = "float32"

    def to(self, form: type[Other], **more: object) -> Other:
        """Another request of the same model: what both can say is taken over, but for what is given.

        Raises:
            UserError: the first thing that cannot be.
        """
        both = form.model_fields.keys() & type(self).model_fields.keys()
        return checked(form, **{name: getattr(self, name) for name in both} | more)


class ModelSpec(Spec):
    """A model by content: the hash of its files or its Hub commit, never a path."""

    identity = "ModelSpec"
    content: str = Field(description="SHA-256 over the files, or repository@commit")
    initialised: int | None = Field(None, description="seed of a random initialisation that replaces the weights")
    dtype: Dtype = "float32"

    @property
    def weights(self) -> tuple[str, int | None]:
        """What two models share that are one but for their precision."""
        return self.content, self.initialised
