"""What a server that others use permits: the doors, one after the other."""

import os
import re
import socket
from pathlib import Path

import pytest

from core.base import access
from core.export import target
from core.jobs import Status, cost, queue, tidy, worker
from core.judge import task_files
from core.models import locate, texts
from core.requests import read_allocation, request_of
from core.store import delete
from tests import fake_experiment as fake
from tests import gguf_files, synthetic, tiny
from tests.core.store.test_deleting import GONE, by

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def stored(empty):
    """A cache with one profile and the run that measured it."""
    key = synthetic.save_small(empty.root)
    queue.submit(empty, fake.request()).write(Status(state="done", result=key))
    return empty


@pytest.fixture
def outside_refused(refused):
    return lambda: refused("does not lie in the folder", error=access.Refused)


@pytest.fixture
def mode(monkeypatch):
    return lambda **said: [monkeypatch.setenv(getattr(access, name), value) for name, value in said.items()]


def test_a_read_only_server_runs_writes_and_deletes_nothing(stored, mode, refused):
    [entry], [job] = stored.entries(), queue.jobs(stored)
    before = sorted(stored.root.rglob("*"))
    mode(READ_ONLY="on")
    for act in (
        lambda: queue.submit(stored, fake.request(seed=1)),
        lambda: queue.submit(stored, job.request),
        lambda: queue.cancel(job),
        lambda: queue.delete(job),
        lambda: queue.ensure_worker(stored, job.device),
        lambda: worker.work(stored, job.device, 0),
        lambda: delete(stored, entry),
        lambda: stored.save(entry.spec, None, {}),
    ):
        with refused("read-only", error=access.Refused):
            act()
    assert sorted(stored.root.rglob("*")) == before


def test_the_start_of_a_read_only_server_sweeps_nothing(stored):
    """Neither a temporary file nor parts of what is whole."""
    [entry] = stored.entries()
    temporary = entry.path.with_name(f"{by(GONE, 'a')}x")
    part = stored.root / "parts" / entry.spec.units[0].key / "0000-0001"
    for left in (temporary, part):
        left.mkdir(parents=True)
    before = sorted(stored.root.rglob("*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(access.READ_ONLY, "on")
        tidy(stored)
    assert sorted(stored.root.rglob("*")) == before
    tidy(stored)
    assert not temporary.exists() and not part.exists()


def test_paths_lead_nowhere_else(empty, tmp_path, mode, refused, outside_refused, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    (outside / "text.txt").write_text("secret")
    (inside / "link").symlink_to(outside)
    mode(ROOT=str(inside), SHARED="on")
    for path in (outside, inside / "link", inside / ".." / "outside", Path("outside")):
        for act in (
            lambda at: locate(str(at), empty),
            lambda at: locate(f"random:{at / 'm.gguf'}", empty),
            lambda at: texts.read(f"file:{at / 'text.txt'}"),
            lambda at: task_files.read(at),
            lambda at: target.check_target(at / "new", False, store=empty),
        ):
            with outside_refused():
                act(path)
    for missing in (str(tmp_path / "nowhere"), "../nowhere"):
        with outside_refused():
            locate(missing, empty)
    with outside_refused():
        queue.submit(empty, fake.request().replace(model=f"random:{outside}"))
    for typed in ("~nobody-here/x", "random:~nobody-here", "file:~nobody-here/x"):
        with outside_refused():
            access.confine({"model": typed})
    for typed in ("/a\0b", "file:/a\0b", "~a\0b"):
        with refused("there can be no file or folder"):
            access.confine([typed])
    target.check_target(inside / "new", False, store=empty)
    with refused("replaces no other"):
        target.check_target(inside / "new", True, store=empty)


# --- what is not looked up -----------------------------------------------------------------------------------------


def answered(store, **asked):
    """What a reader sees of a measurement that is typed, without the name that was typed."""
    try:
        told = cost.words(cost.estimate(request_of("measure", **asked), store))
    except access.Refused as error:
        told = str(error)
    [typed] = asked.values()
    return told.replace(repr(Path(typed).name), "?")


@pytest.mark.parametrize("rooted", [False, True])
@pytest.mark.parametrize(
    ("there", "absent"),
    [
        ("/etc", "/etcx"), ("tests", "testsx"), ("core/models", "core/modelsx"), ("core/../..", "core/../../nowhere"),
        ("~", "~/nowhere"), ("random:/etc", "random:/etcx"), ("{private}", "{private}x"), ("{private}.gguf", "x.gguf"),
    ],
)  # fmt: skip
def test_who_types_a_path_learns_nothing_of_what_is_there(empty, tmp_path, mode, monkeypatch, rooted, there, absent):
    """On a shared server that reads no paths, and of what lies outside the folder of one that has it."""
    monkeypatch.chdir(ROOT)
    private = tiny.save_tiny(tmp_path / "private", "llama")
    private.with_suffix(".gguf").write_bytes(b"GGUF")
    (tmp_path / "root").mkdir()
    mode(READ_ONLY="on", SHARED="on", **({"ROOT": str(tmp_path / "root")} if rooted else {}))
    one, other = (each.format(private=private) for each in (there, absent))
    assert answered(empty, model=one) == answered(empty, model=other)
    assert "GiB of memory" not in answered(empty, model=one) and not (empty.root / "remembered").exists()
    texts = (f"file:{each}" for each in (private / "config.json", private / "nothing.json"))
    assert len({answered(empty, text=each).partition(" does not lie")[2] for each in texts}) == 1


def test_a_shared_server_without_a_folder_reads_no_text_by_its_path(empty, mode):
    mode(SHARED="on")
    assert answered(empty, text=f"file:{__file__}") == access.NO_PATHS == answered(empty, model=__file__)
    assert "GiB of memory" in answered(empty, model="demo")


@pytest.mark.skipif(os.name == "nt", reason="there the name leads to another computer")
@pytest.mark.parametrize("away", [r"\\host\share", r"\??\UNC\host\share"])
def test_another_computer_is_not_called(empty, tmp_path, monkeypatch, refused, away):
    """As Windows does, with the name of who runs the program, wherever one looks for such a path."""
    monkeypatch.chdir(tmp_path)
    tiny.save_tiny(tmp_path / away, "llama")  # would be taken if it were looked for
    (tmp_path / f"{away}.txt").write_text("text", encoding="utf-8")
    (tmp_path / f"{away}.json").write_text('{"sparsity": [0.5]}', encoding="utf-8")
    (tmp_path / f"{away}.link").symlink_to(tmp_path)
    asked = request_of("measure", text=f"file:{away}.txt")
    for look in (
        lambda: cost.estimate(asked, empty),
        lambda: queue.submit(empty, asked),
        lambda: texts.memory_to_read(asked.text.source),
        lambda: read_allocation(f"{away}.json"),
        lambda: locate(away, empty),
        lambda: cost.estimate(request_of("measure", model=f"random:{away}"), empty),
        lambda: texts.read(f"file:{away}.txt"),
        lambda: texts.read(asked.text.source),
        lambda: task_files.read(Path(away)),
        lambda: target.check_target(Path(away), False, store=empty),
    ):
        with refused("lies on another computer"):
            look()
    named = request_of("evaluate", tasks=["a"], tasks_from=f"{away}.link").evaluation.tasks_from
    assert named.endswith(f"{away}.link"), "the link is not followed"


def test_a_folder_is_no_dataset_of_the_hub(tmp_path, monkeypatch, refused):
    """Though it is called as one: the library of datasets would read it wherever it lies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.jsonl").write_text('{"text": "secret"}\n', encoding="utf-8")
    with refused("there is no text 'a/b'"):
        texts.read("a/b")


# --- a server that is started --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--share", "lab.example.org"], "--root"),
        (["--share", "a b", "--read-only"], "lab.example.org"),
        (["--share", "lab.example.org", "--root", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_a_door_is_not_left_open(say, options, named):
    say("serve", *options).refused(named)


def test_a_port_that_somebody_listens_at_is_refused(say):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        say("serve", "--port", taken.getsockname()[1]).refused("--port")


def test_what_is_said_to_defend_is_there():
    """Files that SECURITY.md names, and the address at which `make run` listens."""
    said = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:core|pages)/[\w/]+\.py)`", said)
    assert len(named) > 6 and all((ROOT / each).is_file() for each in named)
    [run] = re.findall(r"^\t.*streamlit run.*", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "--server.address 127.0.0.1 " in run


def test_files_that_lie_inside_lead_nowhere_else_either(empty, tmp_path, mode, outside_refused):
    inside, outside = tmp_path / "root", tmp_path / "outside"
    model = tiny.save_tiny(inside / "model", "llama")
    tiny.save_tiny(outside / "model", "llama", seed=1)
    tasks = inside / "tasks"
    tasks.mkdir()
    (outside / "private.jsonl").write_text('{"q": "a"}\n', encoding="utf-8")
    (outside / "notes.yaml").write_text("password: [secret", encoding="utf-8")
    mode(ROOT=str(inside), SHARED="on")
    locate(str(model), empty)
    reads = (
        "task: t\noutput_type: multiple_choice\ndoc_to_choice: c\ndoc_to_target: q\ndataset_path: json\n"
        'dataset_kwargs: {data_files: {test: "../../outside/private.jsonl"}}\n'
    )
    for written in (reads, reads.replace("private", "absent"), "include: ../../outside/notes.yaml\n" + reads):
        (tasks / "t.yaml").write_text(written, encoding="utf-8")
        with outside_refused():
            task_files.with_data(task_files.read(tasks)["t"])
    (tasks / "t.yaml").unlink()
    (tasks / "t.yaml").symlink_to(outside / "notes.yaml")
    with outside_refused():
        task_files.read(tasks)
    (model / "additional_chat_templates").mkdir()
    for link, file in (("more.safetensors", "model/model.safetensors"), ("additional_chat_templates/a", "notes.yaml")):
        (model / link).symlink_to(outside / file)
        with outside_refused():
            locate(str(model), empty)
        (model / link).unlink()
    file = gguf_files.bare(inside / "m.gguf")
    (inside / "README.md").symlink_to(outside / "notes.yaml")
    with outside_refused():
        locate(str(file), empty)
