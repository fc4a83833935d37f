"""A folder of task files is a stranger's: nothing in it runs code, and what tries to is refused in one sentence."""

import datetime

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from core.judge import zeroshot
from tests import tiny
from tests.builders.task_folder import folder, task

pytestmark = pytest.mark.usefixtures("own_cache")
SHELL = "os.system('echo ran > {ran}')"
ESCAPES = {
    "cycler": "{{{{ cycler.__init__.__globals__." + SHELL + " }}}}",
    "lipsum": "{{{{ lipsum.__globals__." + SHELL + " }}}}",
    "attr": "{{{{ (lipsum | attr('__globals__'))." + SHELL + " }}}}",
    "item": "{{{{ lipsum['__globals__']." + SHELL + " }}}}",
    "map": "{{{{ ([lipsum] | map(attribute='__globals__') | first)." + SHELL + " }}}}",
    "default": "{{{{ lipsum.__globals__." + SHELL + " | default('') }}}}",
    "defined": "{{% if lipsum.__globals__." + SHELL + " is defined %}}yes{{% endif %}}",
    "format": "{{{{ '{{0.__globals__[os].path}}'.format(lipsum) }}}}",
    "callback": "{{{{ 'x' | regex_replace('x', '{{0.string.__class__}}'.format) }}}}",
}
KEYS = {
    "doc_to_text": 'doc_to_text: "{{question}}"',
    "doc_to_choice": "doc_to_choice: choices",
    "doc_to_target": "doc_to_target: gold",
}


def escaping(escape, ran):
    return ESCAPES[escape].format(ran=ran)


@pytest.mark.parametrize(
    ("key", "escape"), [*(("doc_to_text", escape) for escape in ESCAPES), *((key, "cycler") for key in list(KEYS)[1:])]
)
def test_a_template_that_reaches_for_code_is_refused(tmp_path, refused, key, escape):
    ran = tmp_path / "ran"
    changed = {KEYS[key]: f'{key}: "{escaping(escape, ran)}"'}
    with refused("a template of the task local_birds (birds.yaml) uses", " of ", "code from a task folder is not run"):
        zeroshot.tasks(["local_birds"], folder(tmp_path / "tasks", changed))
    assert not ran.exists()


@pytest.mark.parametrize("key", ["description", "gen_prefix", "doc_to_text"])
def test_one_that_reaches_for_it_later_is_refused_then(tmp_path, refused, key):
    ran = tmp_path / "ran"
    late = "{% if question | length > 8 %}" + escaping("cycler", ran) + "{% endif %}x"
    there = KEYS.get(key, "num_fewshot: 0")
    asked = task(tmp_path / "tasks", changed={there: f'{key}: "{late}"'})  # the first question has eight letters
    with refused("local_birds", "__init__ of type", "code from a task folder is not run"):
        zeroshot.score(tiny.loaded("llama"), asked, None, 0)
    assert not ran.exists()


@pytest.mark.parametrize("named", ["./evil", "{folder}/evil", "evil.py"])
def test_a_metric_of_the_folder_is_not_loaded(tmp_path, refused, named):
    ran, where = tmp_path / "ran", tmp_path / "tasks"
    script = f"open({str(ran)!r}, 'w')\n"
    where.mkdir()
    for place in (tmp_path / "evil.py", where / "evil.py", where / "evil" / "evil.py", tmp_path / "evil" / "evil.py"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(script, encoding="utf-8")
    changed = {"  - metric: acc_norm": f"  - metric: {named.format(folder=where)}"}
    with refused("local_birds", "evil", "'acc' or 'acc_norm'"):
        zeroshot.tasks(["local_birds"], folder(where, changed))
    assert not ran.exists()


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        *(("dataset_path: json", f"dataset_path: {path}", [path.strip("[]"), "'csv' or 'json'"])
          for path in ("pandas", "arrow", "parquet", "text", "imagefolder", "./birds.py", "allenai/ai2_arc", "[json]")),
        ("  - metric: acc_norm", "  - metric: acc_norm\n    hf_evaluate: true", ["hf_evaluate", "not permitted"]),
        *(("dataset_kwargs:", f"dataset_kwargs:\n  {option}", [option.split(":")[0], "not permitted"])
          for option in ("cache_dir: elsewhere", "data_dir: /", "num_proc: 2", "streaming: true", "name: x")),
        ("num_fewshot: 0", "use_prompt: prompts.yaml:one", ["use_prompt", "doc_to_text"]),
        *(("num_fewshot: 0", f"{name}: question", [name, "doc_to_text"])
          for name in ("doc_to_image", "doc_to_audio", "doc_to_video")),
        ("dataset_kwargs:", "dataset_kwargs:\n  features: {x: {_type: Image}}", ["features", "not permitted"]),
        ("num_fewshot: 0", "process_docs: os.system", ["process_docs", "doc_to_text"]),
        (KEYS["doc_to_choice"], 'doc_to_choice: "print(1"', ["cannot read"]),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused(tmp_path, refused, line, instead, named):
    """Data from elsewhere than plain files or kept elsewhere, a metric or prompt from elsewhere, code, no list."""
    with refused("local_birds", *named):
        task(tmp_path, changed={line: instead})


@pytest.mark.parametrize("key", ["process_docs", "process_results", "custom_dataset", "class", "doc_to_text"])
@pytest.mark.parametrize("tag", ["!function utils.run", "!!python/name:os.system", "!!python/object/apply:os.times []"])
def test_code_is_not_named(tmp_path, refused, key, tag):
    ran = tmp_path / "ran"
    where = folder(tmp_path / "tasks", {"num_fewshot: 0": f"num_fewshot: 0\n{key}: {tag}"})
    (where / "utils.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    with refused("birds.yaml", "not plain YAML at line", "code from a task folder is not run"):
        zeroshot.tasks(["local_birds"], where)
    assert not ran.exists()


def test_nor_in_what_a_task_includes(tmp_path, refused):
    where = folder(tmp_path / "tasks", {"num_fewshot: 0": "include: ../more.yml"})
    (tmp_path / "more.yml").write_text("process_docs: !function utils.run\n", encoding="utf-8")
    with refused("more.yml", "code from a task folder is not run"):
        zeroshot.tasks(["local_birds"], where)


# -- what templates may do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{question.strip().replace('?', '')}}\n", "why\n"),  # lm-eval keeps the last newline
        ("{{question | regex_replace('[?]+', '!')}}", " why! "),
        ("{{choices.index('b')}} {{choices | length}}", "1 2"),
        ("{{'{} of {}'.format(gold, choices | count)}}", "1 of 2"),
        ("{% for key, value in nested.items() %}{{loop.index}}{{key}}{{value}}{% endfor %}", "1k3"),
        ("{% set ns = namespace(n=0) %}{% for each in choices %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ns.n}}", "2"),
        ("{{(nested | list | map('upper') | list).index('K')}}", "0"),
        ("{{['A', 'B', 'C'][:choices | length] | join('')}}{{range(2) | list}}", "AB[0, 1]"),
        ("{{day.year}}", "2024"),
    ],
)
def test_what_templates_do_with_values(template, written):
    import lm_eval.utils

    day = datetime.date(2024, 1, 2)
    example = {"question": " why? ", "choices": ["a", "b"], "gold": 1, "nested": {"k": 3}, "day": day}
    assert lm_eval.utils.apply_template(template, example) == written


def test_a_template_does_not_change_the_example_and_its_errors_are_templates():
    from lm_eval.utils import apply_template

    with pytest.raises(SecurityError, match="append of list"):
        apply_template("{{choices.append('c')}}", {"choices": []})
    with pytest.raises(TemplateError, match="division by zero"):
        apply_template("{{1 / gold}}", {"gold": 0})
    with pytest.raises(TemplateError, match="'absent' is undefined"):
        apply_template("{{absent}}", {})
