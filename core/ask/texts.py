"""Token windows: as asked, and by content."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from core.base.spec import Spec, added

MOST = 10**6  # windows: the largest text that is read has fewer


class TextSpec(Spec):
    """Token windows by content: which bytes, which tokenizer, where each window starts."""

    identity = "TextSpec"
    content: str = Field(description="SHA-256 of the documents used")
    tokenizer: str = Field(description="SHA-256 of the tokenizer")
    packing: Literal["joined", "document"]
    bos: Literal["protocol", "every"]
    length: int = Field(ge=2, description="tokens per window")
    windows: tuple[tuple[int, int], ...] = Field(description="(document, first token) of each window")
    start: int | None = added(None, "the token before every window, where bos is every and no content tells it")

    @property
    def sequences(self) -> int:
        return len(self.windows)


class WindowRequest(Spec):
    """Which tokens to read."""

    source: str = Field("demo", description="demo, demo:evaluation, file:PATH, or a Hub dataset")
    documents: tuple[int, int] | None = Field(None, description="first and last document, counted from 0, inclusive")
    sequences: int = Field(8, title="Windows", ge=1, le=MOST, description="how many; intervals need 8 or more")
    length: int = Field(64, title="Tokens in each", ge=8, description="tokens per sequence")
    seed: int = Field(0, ge=0, description="draws the windows")
    packing: Literal["joined", "document"] | None = Field(None, description="None: as suits the source")
    bos: Literal["protocol", "every"] = "protocol"

    @model_validator(mode="after")
    def _documents_ordered(self) -> Self:
        if self.documents and not 0 <= self.documents[0] <= self.documents[1]:
            raise ValueError(f"documents {self.documents[0]}-{self.documents[1]}: the first must not exceed the last")
        return self


# What is read unless asked otherwise: all 16 windows that either half of the demo text has for the bundled model.
USUAL_CALIBRATION = WindowRequest(source="demo", sequences=16, length=512)


USUAL_EVALUATION = WindowRequest(source="demo:evaluation", sequences=16, length=512)
