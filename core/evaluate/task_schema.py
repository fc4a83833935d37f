"""The keys of a task over choices that a folder defines, and the values that each may have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from core.base.spec import Spec

Names = str | list[str]
Count = Annotated[int, Field(ge=0, le=100)]


class Plain(Spec):
    """Values are of the very type: `"3"` is no number, as it is none for lm-eval."""

    model_config = ConfigDict(strict=True)


class Metric(Plain):
    metric: Literal["acc", "acc_norm"]
    aggregation: Literal["mean"] = "mean"
    higher_is_better: bool = True


class Reading(Plain):
    """How datasets reads data files: what would write or read elsewhere is not among it."""

    data_files: dict[str, str]
    field: str | None = None
    delimiter: Annotated[str, Field(max_length=1)] | None = None
    keep_default_na: bool = True


TEXTS = (
    "doc_to_text gen_prefix fewshot_delimiter target_delimiter task_alias dataset_name training_split validation_split "
    "test_split fewshot_split description doc_to_decontamination_query"
)
Keys = create_model(
    "Keys", __base__=Plain, **dict.fromkeys(TEXTS.split(), (str | None, None)),
    task=(Annotated[str, Field(max_length=200, pattern=r"^[^\s\x00-\x1f]+$")], ...), tag=(Names | None, None),
    dataset_path=(Literal["csv", "json"], ...),  # whose columns are text and numbers, and nothing that is opened
    dataset_kwargs=(Reading, ...), num_fewshot=(Count | None, None),
    fewshot_config=(dict[Literal["sampler"], Literal["default", "first_n"]] | None, None),
    output_type=(str, ...), doc_to_choice=(Names, ...), doc_to_target=(str | int | list[int], ...),
    metric_list=(list[Metric] | None, None), repeats=(Literal[1], 1), should_decontaminate=(bool, False),
    metadata=(Any, None),
)  # fmt: skip
