"""Files that are none, that never end, that grow, or that say what cannot be: one sentence each, soon."""

import json
import os
import shutil
import signal
from functools import reduce
from itertools import cycle, product
from pathlib import Path

import pytest

from core.base import UserError
from core.judge import task_files
from core.methods import pattern
from core.models import folder_checks, loading, locate, windows
from core.requests import WindowRequest, numbers, read_allocation, read_share, read_study, span
from core.store import Store
from tests import gguf_files, tiny
from tests.builders.task_folder import YAML
from tests.fuzz.judging import SECONDS, bounded, judge
from tests.fuzz.values import SPECIAL

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and alarms are those of Unix")


@pytest.fixture(autouse=True)
def soon():
    """What waits for a pipe is woken; on a busy machine what works takes longer than `bounded` counts."""

    def late(*_):
        raise AssertionError(f"no answer after {3 * SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(3 * SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def one_sentence(act):
    with bounded(), pytest.raises(UserError) as said:
        act()
    judge(str(said.value))


ENDLESS = ("pipe", "endless", "sparse")


# --- a model's folder ----------------------------------------------------------------------------------------------

NAMES = (
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "vocab.json", "merges.txt",
    "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "README.md",
    "model.safetensors.index.json", "additional_chat_templates/tool.jinja",
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(tiny.folder("llama"), tmp_path / "model"))


def opened(model, store):
    loaded = loading.load(locate(str(model), store), "float32", store)
    windows.windows(WindowRequest(source="demo", sequences=1, length=8), loaded)


@pytest.mark.parametrize(("name", "way"), [*product(NAMES[:1], ENDLESS), *zip(NAMES[1:], cycle(ENDLESS), strict=False)])
def test_a_special_file_in_a_models_folder(name, way, folder, store):
    path = folder / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    SPECIAL[way](path)
    one_sentence(lambda: opened(folder, store))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that fails as it is read is one of Linux")
def test_a_settings_file_that_fails_as_it_is_read(folder, store):
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/proc/self/mem")
    one_sentence(lambda: opened(folder, store))


@pytest.mark.parametrize(("name", "way"), zip(NAMES[1:4], ENDLESS, strict=True))
def test_a_special_file_beside_a_gguf(name, way, tmp_path, store):
    gguf_files.write(tmp_path / "model.gguf")
    SPECIAL[way](tmp_path / name)
    one_sentence(lambda: opened(tmp_path / "model.gguf", store))


def entry(file, **entries):
    """Other entries in a settings file."""
    return lambda of: (of / file).write_text(json.dumps(json.loads((of / file).read_text()) | entries))


def tokenizing(**parts):
    """Another part in a tokenizer.json."""
    return entry("tokenizer.json", **parts)


def many(name):
    return lambda of: (of / name).write_text(json.dumps({f"<{number}>": number for number in range(101_000)}))


SEQUENCE = {"type": "Sequence"}
GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
LOST = {"SpecialToken": {"id": "[LOST]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
WORDS = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
IMPOSSIBLE = {
    "labels": entry("config.json", num_labels=10**9),
    "layers": entry("config.json", num_hidden_layers=10**9),
    "no layers": entry("config.json", num_hidden_layers=0),
    "window": entry("config.json", sliding_window="x"),
    "many special": many("special_tokens_map.json"),
    "many added": many("added_tokens.json"),
    "digits": lambda of: (of / "config.json").write_text('{"x": ' + "1" * 5000 + "}"),
    "longest": entry("tokenizer_config.json", model_max_length="x"),
    "growing": tokenizing(normalizer=SEQUENCE | {"normalizers": [GROWING] * 40}),
    "nested": tokenizing(normalizer=reduce(lambda part, _: SEQUENCE | {"normalizers": [part]}, range(200), GROWING)),
    "nothing replaced": tokenizing(normalizer={"type": "Replace", "pattern": {"Regex": ""}, "content": "x"}),
    "repeated": tokenizing(
        post_processor={"type": "TemplateProcessing", "single": [LOST[1]] * 300, "pair": [], "special_tokens": {}}
    ),
    "beyond int32": tokenizing(
        model={"type": "WordLevel", "vocab": {"a": 2**32 - 1}, "unk_token": "a"}, added_tokens=[]
    ),
    "filled": tokenizing(
        padding={
            "strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "x",
        },
    ),
    "lost number": tokenizing(
        post_processor={
            "type": "TemplateProcessing", "single": LOST, "pair": [],
            "special_tokens": {"[LOST]": {"id": "[LOST]", "ids": [2**32 - 1], "tokens": ["x"]}},
        },
    ),
    "backtracking": tokenizing(
        pre_tokenizer={"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Isolated", "invert": False}
    ),
    "no unknown token": tokenizing(model=WORDS | {"vocab": {"a": 0}}, added_tokens=[], pre_tokenizer=None),
}  # fmt: skip


@pytest.mark.parametrize("way", IMPOSSIBLE)
def test_a_models_folder_that_says_what_cannot_be(way, folder, store, monkeypatch):
    monkeypatch.setattr(folder_checks, "TOKENIZER_SECONDS", 1)
    IMPOSSIBLE[way](folder)
    one_sentence(lambda: opened(folder, store))


@pytest.mark.parametrize("layers", [0, 2**32 - 1])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_a_gguf_of_impossible_depth(architecture, layers, tmp_path, store):
    path = gguf_files.bare(tmp_path / "small.gguf", architecture, 1, layers)
    one_sentence(lambda: opened(path, store))


# --- what else a person names --------------------------------------------------------------------------------------


TASK = {
    "birds.yaml": YAML.format(data="birds.jsonl") + "\ninclude: more.yml",
    "more.yml": "tag: x",
    "birds.jsonl": "{}",
}


def from_tasks(path):
    for name in TASK.keys() - {path.name}:
        path.with_name(name).write_text(TASK[name], encoding="utf-8")
    task_files.with_data(task_files.read(path.parent)["local_birds"])


READ = {
    "study.toml": read_study,
    "allocation.json": lambda path: read_allocation(str(path)),
    "text.txt": lambda path: windows.read(f"file:{path}"),
    "text.raw": lambda path: windows.read(f"file:{path}"),
    "text.jsonl": lambda path: windows.read(f"file:{path}"),
    "text.parquet": lambda path: windows.read(f"file:{path}"),
    **dict.fromkeys(TASK, from_tasks),
}
SOUND = {*product(("text.txt", "text.raw"), ("deep", "digits")), ("birds.jsonl", "digits")}


@pytest.mark.parametrize(("name", "way"), [(name, way) for name in READ for way in SPECIAL if (name, way) not in SOUND])
def test_a_special_file_that_a_person_names(name, way, tmp_path):
    SPECIAL[way](tmp_path / name)
    one_sentence(lambda: READ[name](tmp_path / name))


@pytest.mark.parametrize(
    "content",
    [
        "targets = " + "[" * 50_000, "seeds = [" + "1" * 5000 + "]", "targets = [" + "1" * 5000 + "]",
        "seeds = [0x" + "f" * 20_000 + "]", ".".join("a" * 200_000) + " = 1",
        '"0\\n" = 0', '"\\r" = 0', '" " = 0', "x" * 5000 + " = 0",
    ],
    ids=["deep", "seed", "target", "hex", "dotted", "two lines", "return", "blank", "long name"],
)  # fmt: skip
def test_a_study_file_of_odd_numbers_and_names(content, tmp_path):
    (tmp_path / "study.toml").write_text(content, encoding="utf-8")
    one_sentence(lambda: read_study(tmp_path / "study.toml"))


@pytest.mark.parametrize(("reads", "typed"), [(span, "0-{}"), (numbers, "{}"), (pattern, "2:{}"), (read_share, "1/{}")])
def test_a_number_of_thousands_of_digits(reads, typed):
    one_sentence(lambda: reads(typed.format("1" * 5000)))


def test_more_text_than_is_encoded_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "MOST_ENCODED", 1000)
    path = tmp_path / "text.jsonl"
    path.write_text(json.dumps({"text": "Rain. " * 200}) + "\n", encoding="utf-8")
    asked = WindowRequest(source=f"file:{path}", sequences=1, length=8)
    one_sentence(lambda: windows.windows(asked, tiny.loaded("llama")))


def test_a_cache_that_is_a_circle_of_links(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    one_sentence(lambda: Store(tmp_path / "one" / "cache"))
