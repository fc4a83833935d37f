"""Scoring by lm-eval, without its noise and its network; the one module that imports it, which takes seconds."""

import copy
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache, partial
from logging.handlers import BufferingHandler
from typing import Any

import datasets
import lm_eval.api.task
import lm_eval.utils
import torch
import tqdm
from jinja2.exceptions import SecurityError
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from core.base import Fields, UserError
from core.judge.sandbox import LONGEST, Renderer
from core.models import Loaded, hub

BATCH = 2048  # tokens per forward
MOST_WARNINGS = 10**6
FEW_SHOT_SEED = 1234  # the harness's own default

RENDERER = Renderer()
Step = Callable[[int, int], None]  # (examples done, of how many); may raise Cancelled


def _render_in_the_sandbox() -> None:
    """Make lm-eval render every template of this process in the sandbox; by default templates can run code.

    Raises:
        RuntimeError: this version of lm-eval renders elsewhere.
    """
    lm_eval.utils.env = RENDERER
    try:
        lm_eval.api.task.utils.apply_template("{{ ''.__class__ }}", {})
    except SecurityError:
        return
    raise RuntimeError("this version of lm-eval does not render its templates where they can be kept from running code")


def _hush() -> None:
    """Stop lm-eval and datasets from drawing bars, logging attempts, and counting downloads."""
    lm_eval.api.task.tqdm = partial(tqdm.tqdm, disable=True)
    datasets.disable_progress_bars()
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # a request, even for local files
    for library in ("huggingface_hub", "datasets"):  # a line for every attempt to reach the Hub, among others
        logging.getLogger(library).setLevel(logging.ERROR)
    logging.getLogger("lm_eval").propagate = False


_render_in_the_sandbox()
_hush()


@cache
def catalogue() -> TaskManager:
    """Tasks that lm-eval defines; reading their thousands of files takes seconds."""
    return TaskManager()


def built(task: str | Fields) -> dict[str, lm_eval.api.task.Task]:
    """Build the task objects of a name in lm-eval, or of a configuration, by name; reads their data."""
    RENDERER.begin()
    manager = catalogue() if isinstance(task, str) else TaskManager(include_defaults=False)
    tasks = manager.load([task])["tasks"]
    for each in tasks.values():
        if each.get_config("num_fewshot") is None:
            each.set_config(key="num_fewshot", value=0)
        each.set_fewshot_seed(seed=FEW_SHOT_SEED)
    return tasks


def answers(
    loaded: Loaded, task: lm_eval.api.task.Task, rows: list[int], step: Step, reading: Callable[[Callable], Callable]
) -> list[Fields]:
    """Samples that lm-eval logs for each example, in the order of the rows.

    Calls `evaluate` and not `simple_evaluate`, which only adds seeds for the whole process and a description of the
    machine that takes longer than a small task.

    Args:
        reading: wraps the functions that read the examples, before and after the model: their errors are one sentence.

    Raises:
        UserError: a choice has more tokens than the model takes, or an example cannot be read.
    """
    name = task.task_name
    task.build_all_requests, task.process_results = map(reading, (task.build_all_requests, task.process_results))
    logged = evaluate(
        lm=Scorer(loaded, name, len(rows), step),
        task_dict={"tasks": {name: task}},
        samples={name: rows} if len(rows) < len(task.eval_docs) else None,
        bootstrap_iters=0,
        log_samples=True,
    )["samples"][name]
    return sorted((each for each in logged if each["filter"] == logged[0]["filter"]), key=lambda each: each["doc_id"])


class Scorer(HFLM):
    """Scores a model that is already in memory, in batches of a bounded number of tokens.

    Likelihoods come from log-softmax in float32 whatever the model's dtype; the harness would keep float16, where
    unlike answers often tie.
    """

    def __init__(self, loaded: Loaded, task: str, examples: int, step: Step):
        """task: its name, for messages. examples: their number, for progress."""
        super().__init__(
            pretrained=loaded.model,
            tokenizer=copy.deepcopy(loaded.tokenizer),  # it gets a padding token
            batch_size="auto",
            softmax_dtype=torch.float32,
        )
        self.cache_hook = self  # lm-eval would store every answer there; here answers are counted
        self._task, self._examples, self._step = task, examples, step
        self._requests = self._answered = self._told = self._start = self._size = 0

    def loglikelihood(self, requests: list, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        if max(sum(map(len, each.args)) for each in requests) > LONGEST:
            raise UserError(f"the task {self._task} has an example of over {LONGEST:,} characters: leave it out")
        self._requests = len(requests)
        return super().loglikelihood(requests, disable_tqdm=True)

    def _loglikelihood_tokens(self, requests: list, *args: Any, **options: Any) -> list[tuple[float, bool]]:
        longest = max(len(choice) for *_, choice in requests)
        if longest > self.max_length:
            raise UserError(
                f"the task {self._task} has a choice of {longest} tokens where the model takes {self.max_length} at "
                "most: name a task with shorter choices, or a model with more positions"
            )
        return super()._loglikelihood_tokens(requests, *args, **options)

    def _batch_scheduler(self, pos: int, n_reordered_requests: tuple) -> int:
        if pos == 0 or pos >= self._start + self._size:
            _, context, choice = n_reordered_requests[pos]  # the longest of its batch: they are sorted by length
            longest = min(len(context) + len(choice), self.max_length)
            self._start, self._size = pos, max(1, BATCH // longest)
        return self._size

    def add_partial(self, *_: Any) -> None:
        """Count an answer."""
        self._answered += 1
        done = self._answered * self._examples // self._requests
        if done > self._told:
            self._told = done
            self._step(done, self._examples)


@contextmanager
def quiet(local: bool) -> Iterator[list[logging.LogRecord]]:
    """Silence lm-eval, and keep local tasks off the network.

    Yields a list that fills with the warnings that would have been logged.
    """
    log, heard = logging.getLogger("lm_eval"), BufferingHandler(MOST_WARNINGS)
    heard.setLevel(logging.WARNING)
    with ExitStack() as stack:
        log.addHandler(heard)
        stack.callback(log.removeHandler, heard)
        if local:
            stack.enter_context(hub.offline())
        stack.enter_context(redirect_stdout(sys.stderr))
        yield heard.buffer
