"""What the README says is so: its table, its lines, its Python, its tree."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer

from core.cli import app, main
from core.models import windows
from core.requests import read_study
from core.show.report import questions
from tests import lines, tiny
from tests.bench.tables import README, written


def test_the_table_is_up_to_date_and_the_whole_is_short():
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "write it anew with python -m tests.bench.tables"
    assert len(text.splitlines()) <= 250


STUDIES = README.parent / "tests/bench/studies"


def test_every_folder_of_studies_answers_a_question():
    folders = {path.name for path in STUDIES.iterdir()}
    assert folders == {each.folder for each in questions.QUESTIONS.values()} == questions.PROTOCOLS.keys()


@pytest.mark.parametrize("question", questions.QUESTIONS.values(), ids=questions.QUESTIONS)
def test_a_table_is_measured_again_by_the_studies_of_its_protocol(question):
    line = [*question.command.split(), "--dry-run"]
    run = subprocess.run(line, cwd=README.parent, capture_output=True, text=True, check=True)
    [found] = re.findall(r"for study in (\S+);", run.stdout)
    asked = list(map(read_study, README.parent.glob(found)))
    assert asked and all(each.model and each.settings for each in asked)
    spec = questions.committed(question.folder).spec
    assert {each.evaluation.text.sequences for each in asked} == {spec.text.sequences}
    if spec.calibration:  # what leaves layers out reads none
        assert {each.calibration.sequences for each in asked} == {spec.calibration.sequences}


TEXTS = [README, *(README.parent / ".github/docs").glob("*.md")]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
LINES = re.findall(r"^python -m core .*", TEXT, re.MULTILINE)
HEAVY = (*lines.HEAVY, "study", "export", "serve")
LATER = "KEY"  # stands for the key that a line before it printed


def is_heavy(line):
    """Whether it loads a model, or goes on from a line that does."""
    return line.split()[3] in HEAVY or LATER in line


def is_run(line):
    """Whether the slow test runs it: a server does not end by itself."""
    return is_heavy(line) and line.split()[3] != "serve"


BLOCKS = [
    found
    for block in re.findall(r"^```\w*\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    if (found := re.findall(r"^python -m core .*", block, re.MULTILINE))
]


def told(line):
    """What follows `python -m core`, without the remark and without where the output goes."""
    return shlex.split(line.partition(" > ")[0], comments=True)[3:]


@pytest.mark.parametrize("line", [line for line in LINES if not is_heavy(line)])
def test_a_line_that_answers_at_once(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    assert main(told(line)) == 0


@pytest.mark.parametrize("line", [line for line in LINES if is_heavy(line)])
def test_a_line_that_loads_a_model_is_understood(line):
    command, *options = told(line)
    typer.main.get_command(app).commands[command].make_context(command, options)


@pytest.mark.slow
@pytest.mark.bundled
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("block", [block for block in BLOCKS if any(map(is_run, block))], ids=lambda block: block[0])
def test_the_lines_that_load_a_model_work_one_after_the_other(block, tmp_path):
    """In a folder with what the README takes for granted; a line with KEY goes on from the key printed last."""
    shutil.copytree(tiny.folder("bloom"), tmp_path / "my-model")  # takes windows of any length
    words = [{"text": " ".join(piece.split()[:400])} for piece in windows.read("demo").documents] * 4
    (tmp_path / "calibration.jsonl").write_text("\n".join(map(json.dumps, words)), encoding="utf-8")
    (tmp_path / "c4.jsonl").write_text("\n".join(map(json.dumps, 25 * words)), encoding="utf-8")
    study = 'settings = ["response objective=kl"]\nprofile = "demo"\n[evaluation]\nwindows = 8'
    (tmp_path / "study.toml").write_text(study, encoding="utf-8")
    there = {**os.environ, "PYTHONPATH": str(README.parent), "ABSORPTION_CACHE": str(tmp_path / "cache")}
    key = ""
    for line in filter(is_run, block):
        run = line.replace("python", shlex.quote(sys.executable), 1).replace(LATER, key)
        done = subprocess.run(run, shell=True, cwd=tmp_path, env=there, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        key = ([*re.findall(r"^(?:profile|study|best) (\w+)$", done.stdout, re.MULTILINE), key])[0]


@pytest.mark.parametrize("block", [pytest.param(0, marks=pytest.mark.bundled), 1])
def test_what_is_said_for_python_works(block, bundled_store, tmp_path):
    """As it stands, in a process of its own; the charts without Streamlit and without torch."""
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[block]
    if block:
        code += "\nimport sys\nassert not {'streamlit', 'torch', 'transformers'} & set(sys.modules)\n"
    run = [sys.executable, "-c", code]
    there = {**os.environ, "PYTHONPATH": str(README.parent), "ABSORPTION_CACHE": str(bundled_store.root)}
    done = subprocess.run(run, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_the_tree_has_every_room_and_links_lead_somewhere():
    text = README.read_text(encoding="utf-8")
    tree = text[text.index("## How it is built") : text.index("Every formula stands")]
    named = set(re.findall(r"^ *(\w+)/", tree, re.MULTILINE))
    rooms = {path.name for path in (README.parent / "core").iterdir() if path.is_dir()} - {"__pycache__"}
    assert rooms <= named
    assert all((README.parent / path).is_file() for path in re.findall(r"\]\((\.[^)]+)\)", text))


def test_scripts_that_import_as_an_earlier_readme_said_get_the_same_modules():
    from core.ask.inputs import WindowRequest
    from core.ask.measurements import MeasureRequest

    from core.requests import inputs, measurements
    from core.results import evaluations, study_results
    from core.show.words import findings, gain_sentences

    assert (WindowRequest, MeasureRequest) == (inputs.WindowRequest, measurements.MeasureRequest)
    assert (evaluations, findings) == (study_results, gain_sentences)
