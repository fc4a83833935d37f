"""The keys of a task over choices that a folder defines, and the values that each may have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from core.base.spec import Spec

Names = str | list[str]
Choices = Names | dict[str, str]
Sign = Annotated[str, Field(max_length=1)]
Count = Annotated[int, Field(ge=0, le=100)]
Encoding = Literal["utf-8", "utf-8-sig", "ascii", "latin-1", "cp1252"]


class Plain(Spec):
    """Values are of the very type: `"3"` is no number, as it is none for lm-eval."""

    model_config = ConfigDict(strict=True)


def _form(name: str, texts: str, /, **others: tuple[Any, Any]) -> type[Plain]:
    """A form with fields that are text, unless they are left out, and others with their type and what is usual."""
    return create_model(name, __base__=Plain, **dict.fromkeys(texts.split(), (str | None, None)), **others)


PROMPT = "doc_to_text gen_prefix fewshot_delimiter target_delimiter"
Shots = _form(
    "Shots", f"{PROMPT} doc_to_target split",
    sampler=(Literal["default", "first_n"], "default"), samples=(list[dict[str, Any]] | None, None),
    doc_to_choice=(Choices | None, None),
)  # fmt: skip
Metric = _form("Metric", "aggregation", metric=(str, ...), higher_is_better=(bool | None, None))
Reading = _form(  # of data files, by datasets: what would write or read elsewhere is not among it
    "Reading", "field",
    data_files=(Names | dict[str, Names], ...), columns=(list[str] | None, None), keep_linebreaks=(bool, False),
    sample_by=(Literal["line", "paragraph", "document"], "line"), encoding=(Encoding | None, None),
    sep=(Sign | None, None), delimiter=(Sign | None, None), quotechar=(Sign, '"'), quoting=(Literal[0, 1, 2, 3], 0),
    header=(Count | Literal["infer"] | None, None), names=(list[str] | None, None),
    column_names=(list[str] | None, None), skiprows=(Count, 0), keep_default_na=(bool, True), na_filter=(bool, True),
)  # fmt: skip
Keys = _form(
    "Keys",
    f"{PROMPT} task_alias dataset_name training_split validation_split test_split fewshot_split description "
    "doc_to_decontamination_query",
    task=(Annotated[str, Field(max_length=200, pattern=r"^[^\s\x00-\x1f]+$")], ...), tag=(Names | None, None),
    dataset_path=(Literal["csv", "json", "parquet", "text"], ...),  # that datasets reads without running anything
    dataset_kwargs=(Reading, ...), fewshot_config=(Shots | None, None), num_fewshot=(Count | None, None),
    output_type=(str, ...), doc_to_choice=(Choices, ...), doc_to_target=(str | int | list[int], ...),
    metric_list=(list[Metric] | None, None), repeats=(Literal[1], 1), should_decontaminate=(bool, False),
    metadata=(Any, None),
)  # fmt: skip
