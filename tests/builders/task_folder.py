"""A folder with a zero-shot task and its data."""

import json

import numpy as np

from core.judge import zeroshot
from tests import tiny

YAML = """
task: local_birds
tag: local_tiny
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
num_fewshot: 0
doc_to_text: "{{{{question}}}}"
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.5
"""
CHOICES = (("waited", "sang"), ("in the barn", "on gossip", "the fish"), ("a", "e", "o"))


def documents(count=12):
    """Questions whose right answers are spread over the choices; some share a context and differ in one token."""
    draw, rows = np.random.default_rng(3), []
    for index in range(count):
        choices = list(CHOICES[index % len(CHOICES)])
        words = tiny.SENTENCES[index % len(tiny.SENTENCES)][: 8 + 2 * index].rstrip()
        rows.append({"question": words, "choices": choices, "gold": int(draw.integers(len(choices)))})
    return rows


def save_rows(path, rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")


def folder(path, changed=None, count=12):
    """A folder with one task and its data beside it; `changed` replaces text in the YAML."""
    path.mkdir(exist_ok=True)
    save_rows(path / "birds.jsonl", documents(count))
    (path / "birds.yaml").write_text(YAML.format(data="birds.jsonl"), encoding="utf-8")
    return edit(path, changed or {})


def edit(path, changed):
    """Replace text in the YAML."""
    text = (path / "birds.yaml").read_text(encoding="utf-8")
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    (path / "birds.yaml").write_text(text, encoding="utf-8")
    return path


def read(path, name="local_birds"):
    (found,) = zeroshot.tasks([name], path)
    return found


def task(path, **options):
    return read(folder(path, **options))
