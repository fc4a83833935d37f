"""Zero-shot scores through lm-eval: what is asked, of which rows, and that the answers are the model's own."""

import copy
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from core.judge import zeroshot
from core.models import Cancelled
from core.results import standard_error
from tests import tiny
from tests.builders.task_folder import documents, edit, folder, read, save_rows, task

pytestmark = pytest.mark.usefixtures("own_cache")


def test_accuracy_and_its_error_are_those_lm_eval_reports(tmp_path):
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    loaded, asked = tiny.loaded("llama"), task(tmp_path)
    chosen = zeroshot.drawn(asked, 9, seed=4)
    report = lm_eval.simple_evaluate(
        model=HFLM(pretrained=loaded.model, tokenizer=copy.deepcopy(loaded.tokenizer), batch_size=3),
        tasks=[asked.config],
        task_manager=TaskManager(include_defaults=False),
        samples={"local_birds": chosen},
        bootstrap_iters=1,
    )["results"]["local_birds"]
    found = zeroshot.score(loaded, asked, 9, 4)
    np.testing.assert_array_equal(found.document, chosen)
    assert found.acc.mean() == pytest.approx(report["acc,none"])
    assert standard_error(found.acc) == pytest.approx(report["acc_stderr,none"])
    assert found.acc_norm.mean() == pytest.approx(report["acc_norm,none"])


def test_batches_change_nothing_and_progress_is_whole(tmp_path, monkeypatch):
    from core.judge import harness

    loaded, asked, sizes, scores = tiny.loaded("llama"), task(tmp_path), [], []
    note = lambda _, args, kwargs: sizes.append(args[0].shape)  # noqa: E731
    handle = loaded.model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        for batch in (1, 40, 4096):
            monkeypatch.setattr(harness, "BATCH", batch)
            told = []
            scores.append(zeroshot.score(loaded, asked, None, 0, lambda *done: told.append(done)))  # noqa: B023
            assert all(rows == 1 or rows * length <= batch for rows, length in sizes)
            assert told == sorted(told) and told[-1] == (12, 12)
            sizes.clear()
    finally:
        handle.remove()
    for each in scores[1:]:
        np.testing.assert_array_equal(each.acc, scores[0].acc)
        np.testing.assert_array_equal(each.acc_norm, scores[0].acc_norm)


def test_it_is_silent_stops_and_leaves_all_as_it_was(tmp_path, capfd):
    import datasets
    from huggingface_hub import constants

    loaded, asked = tiny.loaded("gpt2"), task(tmp_path)
    vocabulary = dict(loaded.tokenizer.special_tokens_map)
    offline = (constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE, datasets.are_progress_bars_disabled())
    capfd.readouterr()

    def stop(done, _):
        raise Cancelled

    with tiny.untouched(loaded.model), pytest.raises(Cancelled):
        zeroshot.score(loaded, asked, 5, 0)
        zeroshot.score(loaded, asked, None, 0, stop)
    out, err = capfd.readouterr()
    assert not out and not err
    assert loaded.tokenizer.special_tokens_map == vocabulary
    assert (constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE, datasets.are_progress_bars_disabled()) == offline


def test_a_broken_model_has_no_accuracy(tmp_path):
    loaded = tiny.loaded("llama")
    broken = dataclasses.replace(loaded, model=copy.deepcopy(loaded.model))
    broken.model.lm_head.weight[3] = torch.nan
    found = zeroshot.score(broken, task(tmp_path), 4, 0)
    assert np.isnan(found.acc).all()


def test_a_sample_is_seeded_sorted_and_without_repeats(refused):
    small, large = (zeroshot.Task("t", None, "", documents) for documents in (10, 500))
    first, again, other = (zeroshot.drawn(large, 40, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(set(first)) and len(first) == 40 and first[0] >= 0 and first[-1] < 500
    assert zeroshot.drawn(small, None, 0) == zeroshot.drawn(small, 10, 7) == list(range(10))
    assert {each for seed in range(50) for each in zeroshot.drawn(small, 3, seed)} == {*range(10)}
    for wrong in (0, 11):
        with refused("task t", str(wrong), "1 to 10"):
            zeroshot.drawn(small, wrong, 0)


def answered(data, choice):
    """Make a choice the right one of every question, in a file as old as ever."""
    save_rows(data, [each | {"gold": choice} for each in documents()])
    os.utime(data, (1, 1))


def test_answers_are_of_the_content_however_old_its_file_is(tmp_path):
    loaded, where, acc = tiny.loaded("llama"), folder(tmp_path / "tasks"), []
    for choice in range(2):
        answered(where / "birds.jsonl", choice)
        acc.append(zeroshot.score(loaded, read(where), None, 0).acc)
    assert acc[0].any() and not (acc[0] * acc[1]).any()


def test_files_that_change_while_a_run_goes_on_are_not_scored(tmp_path, refused):
    asked = task(tmp_path / "tasks")
    answered(tmp_path / "tasks" / "birds.jsonl", 1)
    with refused("local_birds", "have changed"):
        zeroshot.score(tiny.loaded("llama"), asked, None, 0)


def test_a_data_file_without_a_byte(tmp_path, refused):
    with refused("local_birds", "is empty"):
        task(tmp_path, count=0)


def test_a_tag_stands_for_its_tasks_and_includes_are_part_of_them(tmp_path):
    where = folder(tmp_path / "tasks")
    (where / "more.yaml").write_text("include: birds.yaml\ntask: local_more\n", encoding="utf-8")
    found = zeroshot.tasks(["local_tiny", "local_birds"], where)
    assert [each.name for each in found] == ["local_birds", "local_more"]
    assert read(edit(where, {"1.5": "1.6"}), "local_more").content != found[1].content


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"birds.jsonl": "absent.jsonl"}, ["absent.jsonl", "working directory"]),
        ({"output_type: ": "output_type: ["}, ["birds.yaml", "YAML", "line"]),
        ({"  data_files:\n    test: birds.jsonl": "  split: test"}, ["data_files: field required"]),
        ({"doc_to_target: gold": 'doc_to_target: "{{gold | nothing}}"'}, ["read", "local_birds"]),
        ({"test_split: test": "test_split: dev"}, ["read", "local_birds"]),
        ({"task: local_birds": "undone: local_birds"}, ["no task"]),
        ({"multiple_choice": "loglikelihood"}, ["accuracy", "choices"]),
    ],
)
def test_a_task_that_cannot_be_scored(tmp_path, changed, named, refused):
    with refused(*named):
        zeroshot.tasks(["local_birds"], folder(tmp_path / "tasks", changed))


LONG = " ".join(["heron"] * 70)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"doc_to_target: gold": 'doc_to_target: "{{gold + 3 * (question | length > 9)}}"'}, ["not among its choices"]),
        ({"doc_to_choice: choices": f'doc_to_choice: ["a", "e", "o", "{LONG}"]'}, ["local_birds", "a choice of", "64"]),
    ],
)
def test_an_example_that_cannot_be_scored(tmp_path, changed, named, refused):
    odd = task(tmp_path, changed=changed)
    with refused(*named):
        zeroshot.score(tiny.loaded("llama"), odd, 4, 0)


def test_names_that_cannot_be_looked_up(tmp_path, refused):
    where = folder(tmp_path / "tasks")
    with refused("did you mean local_birds"):
        zeroshot.tasks(["local_brids"], where)
    (where / "copy.yaml").write_text((where / "birds.yaml").read_text(), encoding="utf-8")
    with refused("twice", "birds.yaml", "copy.yaml"):
        zeroshot.tasks(["local_birds"], where)
    with refused("absent"):
        zeroshot.tasks(["local_birds"], tmp_path / "absent")


def test_a_definition_of_the_harness_whose_data_is_not_at_hand(monkeypatch, refused):
    import datasets
    import lm_eval.tasks
    from huggingface_hub import constants

    from core.judge import harness

    arc = Path(lm_eval.tasks.__file__).parent / "arc"  # one folder instead of all, which takes seconds
    manager = lm_eval.tasks.TaskManager(include_path=arc, include_defaults=False)
    monkeypatch.setattr(harness, "catalogue", lambda: manager)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with refused("local cache", "Hub"):
        zeroshot.tasks(["arc_easy"], None)
    with refused("did you mean arc_easy"):
        zeroshot.tasks(["arc_esay"], None)


def test_a_definition_of_the_harness_is_scored_by_name(tmp_path, monkeypatch):
    from core.judge import harness

    where = folder(tmp_path / "tasks", {"birds.jsonl": str(tmp_path / "tasks" / "birds.jsonl")})
    manager = harness.TaskManager(include_path=where, include_defaults=False)
    monkeypatch.setattr(harness, "catalogue", lambda: manager)
    (asked,) = zeroshot.tasks(["local_tiny"], None)
    assert (asked.name, asked.config, asked.content, asked.documents) == ("local_birds", None, "local_birds 1.5", 12)
    loaded = tiny.loaded("llama")
    np.testing.assert_array_equal(
        zeroshot.score(loaded, asked, 6, 1).acc, zeroshot.score(loaded, task(tmp_path / "own"), 6, 1).acc
    )
