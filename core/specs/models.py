"""A model by content."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.specs.base import Spec

Dtype = Literal["float32", "bfloat16", "float16"]


class ModelSpec(Spec):
    """A model by content: the hash of its files or its Hub commit, never a path."""

    content: str = Field(description="SHA-256 over the files, or repository@commit")
    initialised: int | None = Field(None, description="seed of a random initialisation that replaces the weights")
    dtype: Dtype = "float32"

    @property
    def weights(self) -> tuple[str, int | None]:
        """What two models share that are one but for their precision."""
        return self.content, self.initialised
