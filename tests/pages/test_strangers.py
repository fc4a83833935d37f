"""What a stranger may have written, in a link, a copied cache or the name of a folder, is shown as the text it is."""

import re
from pathlib import Path

import pytest
from google.protobuf.message import Message

from core.base import PROJECT, access
from core.jobs import Status, queue
from core.requests import (
    ExactRecipe,
    ExportRequest,
    ExportSpec,
    MeasureRequest,
    WindowRequest,
    measurements,
    perturbation,
)
from core.show.figures import COMPARED
from core.show.report import reports
from core.store import Store
from tests import synthetic
from tests.pages import test_best_part as answers
from tests.pages.opening import PAGES, opened_at
from tests.pages.prune_page import LAYERS, PROFILE, family, save

FORMS = (
    "**mallory**", "`mallory`", "<b>mallory</b>", "[mallory](x)", "![mallory](", "$mallory$", ":smile:",
    ":red[mallory]", ":material/close:", "http://mallory", "www.mallory", "mallory@mallory.",
)  # fmt: skip
WRONG = re.compile(rf"(?<!\\)(?:{'|'.join(map(re.escape, FORMS))})|[\u202e\x1b]")
NAME = "**mallory** `mallory` <b>mallory</b> [mallory](x) ![mallory](http://mallory/) $mallory$ :smile: :red[mallory] "
NAME += ":material/close: www.mallory.net mallory@mallory.net"
PRIVATE = "/srv/private/"  # a folder of the machine that measured
UNSEEN = "\u202emallory\x1b[0m\r\n\r\n# mallory"
READ = {"body", "title", "label", "help", "content", "content_help", "captions", "text"}  # fields read as Markdown
AS_IS = {"text": "body", "json": "body", "html": "body"}  # the same fields of elements that read none

TAKEN = measurements.measurements([perturbation("checkpoint:0123456789abcdef")])
BESIDE = PROFILE.replace(measurements=TAKEN)
TASK = "mallory_:smile:_www.mallory.net"
VIEWS = (
    *((page, {}) for page in ("absorption", "allocate", "learn", "lab", "measure", "help")),
    ("absorption", {"profile": BESIDE.key, "group": COMPARED}),
    ("allocate", {"strength": "0.04"}),
    ("learn", {"chapter": "prune"}),
    *(("runs", {"show": each}) for each in ("profiles", "evaluations")),
    *(("prune", {"part": each}) for each in ("results", "export", "best", "evaluate")),
    *(("prune", {"part": "results", "detail": each}) for each in ("correction", "tasks", "all")),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache with results, jobs and an export in which everything that can be called freely has an ill-meant name."""
    store = Store(tmp_path_factory.mktemp("cache"))
    told = synthetic.TOLD | {"warnings": [NAME], "setting": NAME, "request": {"model": f"{PRIVATE}model"}}
    half = ExactRecipe(pruner="magnitude", sparsity=(0.5,) * LAYERS, calibration=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "TOLD", told)
        patch.setattr(synthetic, "OTHER", NAME)
        synthetic.save_profile(store.root, PROFILE, NAME, NAME)
        synthetic.save_profile(store.root, BESIDE, NAME, NAME)
        few = [each for each in family() if each.allocation.correction.strength in (0, 0.04)][:6]
        save(store, tuple(few), text=NAME, tasks=(TASK,))
        answers.save(
            store,
            answers.ANSWERED.replace(model=f"{PRIVATE}model"),
            left_out=[NAME],
            texts={"final": NAME, "selection": NAME, "calibration": NAME},
        )
    folder = f"/{NAME}{UNSEEN}"
    exported = ExportSpec(model=PROFILE.model, pruned=half, folder=folder)
    store.save(exported, None, told | {"model": NAME, "folder": folder, "bytes": 1, "dense_bytes": 2})
    for seed, state in enumerate(("queued", "failed", "done")):
        text = WindowRequest(source=f"file:{PRIVATE}{NAME}{UNSEEN}", seed=seed)
        measured = MeasureRequest(model=NAME + UNSEEN, text=text, measurements=PROFILE.measurements)
        for request in (measured, ExportRequest(model=NAME, folder=f"{folder}{seed}", setting=family()[0])):
            status = Status(
                state=state, line=NAME + UNSEEN, error=f"{PRIVATE}x: {NAME}{UNSEEN}", total=9, done=1, result="0" * 16
            )
            with pytest.MonkeyPatch.context() as patch:  # the text was there then
                patch.setattr(queue, "_check_texts", lambda _: None)
                queue.submit(store, request).write(status)
    return store.root


@pytest.fixture
def stranger(store, made, monkeypatch):
    monkeypatch.setenv("ABSORPTION_CACHE", str(made))
    return Store(made)


def test_a_link_is_text(stranger):
    tabs = [opened_at(page, **view) for page, view in VIEWS]
    keys = {"job", "allocation"}.union(*(tab.session_state["view"].remembered for tab in tabs))
    assert len(keys) > 50
    for page in PAGES:
        check(opened_at(page, **dict.fromkeys(keys, NAME + UNSEEN)), page)


@pytest.mark.parametrize(("page", "view"), VIEWS, ids=str)
def test_a_name_is_text(stranger, page, view):
    check(opened_at(page, **{"profile": PROFILE.key, **view}), page)


def test_a_watched_job_is_text(stranger):
    for job in queue.jobs(stranger):
        page = "measure" if isinstance(job.request, MeasureRequest) else "prune"
        check(opened_at(page, job=job.key), f"{page} {job.state}")


@pytest.mark.parametrize("mode", [access.READ_ONLY, access.SHARED])
def test_no_page_of_a_server_for_others_names_its_folders(stranger, monkeypatch, mode):
    """Nor does a run's log, which holds tracebacks."""
    monkeypatch.setenv(mode, "on")
    views = [(page, view | {"profile": each}) for each in (PROFILE.key, BESIDE.key) for page, view in VIEWS]
    views += [(page, {"job": "x", "profile": "x"}) for page in PAGES]
    for job in queue.jobs(stranger):
        job.note(f'File "{stranger.root}/a.py", line 1')
        views += [("measure", {"job": job.key}), ("runs", {})]
    for page, view in views:
        app = opened_at(page, **view)
        said = [text for node in app._tree for _, text in every(getattr(node, "proto", None))]
        folders = str(stranger.root), str(PROJECT), f"{Path.home()}/", PRIVATE
        assert not [each for each in said if any(folder in each for folder in folders)], (page, view)


def every(proto):
    """Every text of an element or a block, beside the name of its field."""
    for field, value in proto.ListFields() if isinstance(proto, Message) else ():
        for each in value if hasattr(value, "add") or hasattr(value, "append") else [value]:
            yield from every(each) if isinstance(each, Message) else [(field.name, str(each))]


def check(app, where):
    """What is read as Markdown holds no form of a name, and nothing that cannot be seen."""
    assert not app.exception, where
    said = []
    for node in app._tree:
        read = READ - {AS_IS.get(getattr(node, "type", ""))}
        said += [text for name, text in every(getattr(node, "proto", None)) if name in read]
    assert [text for text in said if ("mallory" in text or ":smile" in text) and WRONG.search(text)] == [], where


def test_a_report_is_text(stranger):
    entries = [entry for kind in ("profile", "study", "best") for entry in stranger.entries(kind)]
    for page in (reports.html(stranger, entry) for entry in entries):
        assert "<b>mallory" not in page and "\u202e" not in page and "\x1b" not in page
