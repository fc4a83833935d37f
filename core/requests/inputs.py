"""The model and the text that a request reads, as typed and by content."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field

from core.base import Spec, checked, optional_field
from core.requests.parsing import from_text, span

Dtype = Literal["float32", "bfloat16", "float16"]
Other = TypeVar("Other", bound="OfModel")
MOST_WINDOWS = 10**6  # the largest text that is read has fewer
Length = Annotated[int, Field(ge=8, le=2**20)]  # tokens of a window; no model at hand has more positions


class OfModel(Spec):
    """A request about one model, named as typed."""

    model: str = Field(
        "demo", description="demo, a folder, a .gguf file, a Hub id; random:<any> for its untrained twin"
    )
    revision: str | None = Field(None, description="branch, tag or commit of a Hub model", examples=["newest"])
    dtype: Dtype = Field("float32", title="Precision")

    def to(self, form: type[Other], **more: object) -> Other:
        """Another request of the same model with the fields that both have, but for `more`.

        Raises:
            UserError: the first invalid value.
        """
        both = form.model_fields.keys() & type(self).model_fields.keys()
        return checked(form, **{name: getattr(self, name) for name in both} | more)


class ModelSpec(Spec):
    """A model by content: the hash of its files or its Hub commit, never a path."""

    content: str = Field(description="SHA-256 over the files, or repository@commit")
    initialised: int | None = Field(None, description="seed of a random initialisation that replaces the weights")
    dtype: Dtype = "float32"

    @property
    def weights(self) -> tuple[str, int | None]:
        """Identity of the weights whatever their precision."""
        return self.content, self.initialised


class OfWindows(Spec):
    """Text read in `sequences` windows of `length` tokens each."""

    if TYPE_CHECKING:
        length: int

        @property
        def sequences(self) -> int: ...

    @property
    def token_count(self) -> int:
        return self.sequences * self.length


class TextSpec(OfWindows):
    """Token windows by content: bytes, tokenizer and the start of each window."""

    content: str = Field(description="SHA-256 of the documents used")
    tokenizer: str = Field(description="SHA-256 of the tokenizer")
    packing: Literal["joined", "document"]
    bos: Literal["protocol", "every"]
    length: Length = Field(description="tokens per window")
    windows: tuple[tuple[int, int], ...] = Field(description="(document, first token) of each window")
    start: int | None = optional_field(
        None, "the token before every window, where bos is every and no content tells it"
    )

    @property
    def sequences(self) -> int:
        return len(self.windows)


class WindowRequest(OfWindows):
    """The request for windows of tokens from a text."""

    source: str = Field("demo", description="demo, demo:evaluation, file:PATH, or a Hub dataset")
    documents: Annotated[tuple[int, int] | None, from_text(span)] = Field(
        None, description="first and last document to draw from, as in 0-599", examples=["all of them"]
    )
    sequences: int = Field(8, title="Windows", ge=1, le=MOST_WINDOWS, description="how many; intervals need 8 or more")
    length: Length = Field(64, title="Tokens in each", description="tokens per window")
    seed: int = Field(0, ge=0, description="draws the windows")
    packing: Literal["joined", "document"] | None = Field(
        None, description="joined or document; default: as suits the text"
    )
    bos: Literal["protocol", "every"] = Field(
        "protocol", description="start token: protocol (the tokenizer's way) or every"
    )

    def check(self) -> None:
        if self.documents and not 0 <= self.documents[0] <= self.documents[1]:
            raise ValueError(f"documents {self.documents[0]}-{self.documents[1]}: the first must not exceed the last")


IMATRIX = "importance matrix of the model, as llama-imatrix writes it, that K-quants go by in place of the calibration"
# All 16 windows that either half of the demo text has for the bundled model.
DEFAULT_CALIBRATION = WindowRequest(source="demo", sequences=16, length=512)
DEFAULT_EVALUATION = WindowRequest(source="demo:evaluation", sequences=16, length=512)
