"""Task folders that would hang, break the harness or fill the memory: one sentence each, which names the task file."""

import gzip

import pytest
from jinja2 import TemplateError

from core.judge import sandbox, zeroshot
from tests import tiny
from tests.builders.task_folder import documents, edit, folder, read, save_rows, task
from tests.fuzz.judging import judge

pytestmark = pytest.mark.usefixtures("own_cache")
QUESTION, FEW = 'doc_to_text: "{{question}}"', "num_fewshot: 0"
LAUGHS = "\n".join(f"  x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" if n else "  x0: &a0 [x]" for n in range(12))


# --- the YAML file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        f"metadata:\n{LAUGHS}", "tag: &t [*t]", "num_fewshot: 1" + ":59" * 9000, "num_fewshot: 1" + ":59" * 9000 + ".5",
        "num_fewshot: 0x" + "f" * 20_000, "num_fewshot: " + "1" * 5000, "metadata: " + "[" * 9000, "tag: !!int ''",
        "metadata: " + "[" * 3000 + "]" * 3000, "num_fewshot: 2001-01-01", "tag: !!binary aaaa", "tag: !!bool x",
        'target_delimiter: "\\ud800"',
    ],
)  # fmt: skip
def test_yaml_is_plain_data(tmp_path, refused, lines):
    with refused("birds.yaml", "not plain YAML"):
        task(tmp_path, changed={"metadata:\n  version: 1.5": lines})


@pytest.mark.parametrize("lines", ["metadata: [" + "1," * 40_000 + "]", "num_fewshot: 1" + ":59" * 90_000])
def test_yaml_is_of_bounded_size(tmp_path, refused, lines):
    with refused("birds.yaml", "MiB of any task file"):
        task(tmp_path, changed={"metadata:\n  version: 1.5": lines})


@pytest.mark.parametrize(
    ("include", "said"),
    [("[more{}.yml, more{}.yml]", "no task file"), ("more{}.yml", "includes itself"), ("more0.yml", "includes itself")],
)
def test_includes_are_bounded(tmp_path, refused, include, said):
    where = folder(tmp_path, {FEW: "include: more0.yml"})
    for number in range(60):
        (where / f"more{number}.yml").write_text(f"include: {include.format(number + 1, number + 1)}", encoding="utf-8")
    with refused(said, ".y"):
        zeroshot.tasks(["local_birds"], where)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        *((FEW, f"{FEW}\nrepeats: {value}") for value in ("0", "1000000", "'3'", "null")),
        *((FEW, f"num_fewshot: {value}") for value in ("'3'", "-1", "1.5", "99999999999", "[1]")),
        *((QUESTION, f"doc_to_text: {value}") for value in ("5", "[1]", "null")),
        ("doc_to_choice: choices", "doc_to_choice: [[[[]]]]"), ("doc_to_choice: choices", "doc_to_choice: null"),
        ("doc_to_target: gold", "doc_to_target: [[[[]]]]"), ("tag: local_tiny", "tag: 5"),
        *((FEW, f"{FEW}\n{line}") for line in (
            "description: 5", "gen_prefix: [1]", "unsafe_code: true", "class: x", "filter_list: []", "1: 2",
            "filter_list: [{name: x, filter: [{function: nope}]}]", "fewshot_config: {samples: 5}",
            "process_results: x",
            "fewshot_config: {sampler: nope}", "training_split: nope", "custom_dataset: x", "group: [1]",
        )),
        ("    aggregation: mean\n    higher_is_better: true\n  - metric:", "    aggregation: nope\n  - metric:"),
        ("  - metric: acc_norm", "  - metric: f1"),
        ("dataset_path: json\ndataset_kwargs:", "dataset_path: csv\ndataset_kwargs:\n  sep: (a+)+$"),
        ("dataset_path: json\ndataset_kwargs:", "dataset_path: csv\ndataset_kwargs:\n  skiprows: 99999999999999"),
        ("    test: birds.jsonl", "    test: {a: b}"), ("    test: birds.jsonl", "    test: [birds.jsonl]"),
        ("task: local_birds", "task: local_birds\ntask_alias: {}"),
    ],
)  # fmt: skip
def test_keys_and_their_types(tmp_path, refused, line, instead):
    with refused("local_birds", "birds.yaml") as said:
        task(tmp_path, changed={line: instead})
    judge(str(said.value))


# --- data ----------------------------------------------------------------------------------------------------------


def deep(where):
    line = '{"question": ' + "[" * 50_000 + "]" * 50_000 + ', "choices": ["a", "b"], "gold": 0}\n'
    (where / "birds.jsonl").write_text(line, encoding="utf-8")


def packed(where):
    (where / "birds.jsonl").write_bytes(gzip.compress(b" " * 2**20))


def pattern(where):
    (where / "birds.jsonl").rename(where / "b*.jsonl")
    edit(where, {"birds.jsonl": "'b*.jsonl'"})


def wide(where):
    save_rows(where / "birds.jsonl", [documents(1)[0] | {f"key {number}": 1} for number in range(4000)])


def wide_table(where):
    (where / "birds.jsonl").write_text(f"question,choices,gold{',x' * 100_000}\n" * 2, encoding="utf-8")
    edit(where, {"path: json": "path: csv"})


@pytest.mark.parametrize(
    ("make", "named"),
    [(deep, "nests over"), (wide, "leave out"), (wide_table, "leave out"), (packed, "packed"), (pattern, "plain name")],
)
def test_data_that_is_not_what_it_looks_like(tmp_path, refused, make, named):
    """Brackets or keys without end for what reads them, bytes that unpack to more, a name that stands for others."""
    make(folder(tmp_path))
    with refused("local_birds", "jsonl", named):
        zeroshot.tasks(["local_birds"], tmp_path)


def test_brackets_in_words_do_not_nest(tmp_path):
    save_rows(tmp_path / "a.jsonl", [each | {"question": ':-[ \\" {' * 9} for each in documents(40)])
    assert sandbox.json_extent(tmp_path / "a.jsonl") == (2, 3, 2 * 40)


@pytest.mark.parametrize("sign", ['\\"', '"\\\n', "[]"])
def test_how_far_data_extends_is_seen_soon_in_what_is_no_json(sign, tmp_path):
    """Looking for the other end of each quote again and again would take hours."""
    (tmp_path / "a.jsonl").write_text(sign * 500_000, encoding="utf-8")
    assert sandbox.json_extent(tmp_path / "a.jsonl") == (sign == "[]", 0, 500_000 * (sign == "[]"))


@pytest.mark.parametrize(
    "second",
    [{"question": None}, {"choices": None}, {"choices": []}, {"choices": ["a", None]}, {"gold": None}, {"gold": 9}],
)
def test_a_later_example_that_cannot_be_read(tmp_path, refused, second):
    where = folder(tmp_path, {QUESTION: "doc_to_text: question"})
    save_rows(where / "birds.jsonl", [*documents(1), documents(1)[0] | second])
    asked = read(where)
    with refused("local_birds"):
        zeroshot.score(tiny.loaded("llama"), asked, None, 0)


@pytest.mark.parametrize("changed", [{}, {QUESTION: "doc_to_text: question"}])
def test_a_very_long_text(tmp_path, refused, changed):
    where = folder(tmp_path, changed)
    save_rows(where / "birds.jsonl", [documents(1)[0] | {"question": "rain " * 200_000}])
    with refused("local_birds", f"{sandbox.LONGEST:,}"):
        zeroshot.score(tiny.loaded("llama"), read(where), None, 0)


# --- templates -----------------------------------------------------------------------------------------------------

ENDLESS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "backtracking": "{{ ('a' * 64 ~ '!') | regex_replace('(a+)+$', '') }}",
    "power": "{{ 9 ** (9 ** 9) % 3 }}",
}
LARGE = {
    "product": "{{ 'a' * 10 ** 11 }}",
    "filled": "{{ '{:>100000000000}'.format(5) }}",
    "long": "{{ 'rain ' * 1000000 }}",
    "brackets": "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
    "blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}


@pytest.mark.parametrize("template", ENDLESS.values(), ids=ENDLESS)
def test_a_template_without_end(template, monkeypatch):
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    renderer = sandbox.Renderer()
    with pytest.raises(TemplateError, match="takes over 1 s"):
        renderer.render(template)
    assert renderer.render("{{ 1 + 1 }}") == "2", "the next one has a process again"


@pytest.mark.parametrize("template", LARGE.values(), ids=LARGE)
def test_a_template_that_is_too_large(template):
    with pytest.raises(TemplateError, match=r"characters|MemoryError|recursion"):
        sandbox.Renderer().render(template)


def test_all_templates_of_a_task_together_are_bounded(monkeypatch):
    monkeypatch.setattr(sandbox, "MOST_WRITTEN", 10)
    renderer = sandbox.Renderer()
    assert renderer.render("{{ 'a' * 9 }}") == "a" * 9
    with pytest.raises(TemplateError, match="templates of a task"):
        renderer.render("{{ 'a' * 9 }}")
    renderer.begin()
    assert renderer.render("{{ template }}", template="a field") == "a field"


def test_a_template_writes_text(tmp_path, refused):
    with refused("local_birds (birds.yaml)", "surrogates"):
        task(tmp_path, changed={QUESTION: """doc_to_text: "{{ '\\\\ud800' }}" """})
