"""Questions that committed studies answer, or a bench answered once, each with its table: Evidence, the README."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from core.base import UserError, digits, distinct, frozen
from core.methods import BudgetUnit
from core.results import CHANGE, RESULTS, UNIFORM, Change, Row, Study, Table, divergence, protocols, rows_of
from core.results.study_table import study_table
from core.show.figures import Chart, evaluation
from core.show.report.question_table import PROTOCOLS, QUESTIONS, Question, amount
from core.show.words import perplexity_sentences
from core.store import HOME, Store


@frozen
class Answer:
    """A question's table, the studies that it is of, and what is said below it."""

    question: Question
    study: Study
    table: Table
    sentences: tuple[str, ...]

    @property
    def changes(self) -> dict[Row, Change | None]:
        """The change of every row; None where it has nothing to be compared with."""
        return dict(zip(self.table.rows, self.table.values[f"{CHANGE}{self.question.against}"], strict=True))

    @property
    def budget_unit(self) -> BudgetUnit:
        """Unit of its targets: bits, where any setting counts bits."""
        return max((each.setting.treatment.budget_unit for each in self.study.settings), key=lambda each: each.bits)

    @property
    def targets(self) -> list[float]:
        """Each `amount` at which a change was measured, ascending."""
        return sorted({amount(row.one, self.budget_unit) for row, change in self.changes.items() if change is not None})

    def at(self, target: float) -> list[Row]:
        """The rows at one of `targets`."""
        return [row for row in self.table.rows if row.one.setting and amount(row.one, self.budget_unit) == target]

    def lowest(self, target: float) -> tuple[Row, Change | None]:
        """The setting of the lowest perplexity at one of `targets`, and its change."""
        row = min(self.at(target), key=lambda row: row.one.perplexity)
        return row, self.changes[row]


@cache
def chart(answer: Answer, target: float) -> Chart:
    """The changes of the settings at one of its targets, with their intervals."""
    changes = answer.changes
    rows = answer.at(target)
    forms = (  # as short as tells a row from all others, those that are not drawn too
        (name := row.allocation, f"{name}, {RESULTS['pruner'].of(row)}", f"{name}, {row.one.setting.repair_options}")
        for row in rows
    )
    changes_by_name = {
        name: changes[row].quoted for row, name in zip(rows, distinct(forms), strict=True) if changes[row]
    }
    return evaluation.changes(changes_by_name, None, answer.question.against, answer.question.title)


@cache
def answer(name: str) -> Answer:
    """The answer of the committed studies to a question.

    Raises:
        UserError: none of its studies is there.
    """
    question = QUESTIONS[name]
    study = committed(question.folder)
    if study is None:
        raise UserError(f"no study in {HOME / 'demo'} answers this question: `{question.command}` measures it")
    control = question.control(study)
    controls = {question.against: control}
    if question.uniform:
        controls |= UNIFORM
    if question.corrections:
        controls |= {"its base": lambda one: one.base}
    rows = [one for one in question.settings(study) if not question.paired or control(one)]
    dense = f"The dense model has a perplexity of {digits(study.dense.perplexity, 3)}."
    sentences = [dense] * (study.dense not in rows) + [question.note] * bool(question.note)
    if question.corrections:
        sentences += [text for one in rows for text in perplexity_sentences.of_correction(study, one, None)]
    table = study_table(rows_of(study, rows), controls)
    if question.divergence:
        table = Table(table.rows, {**table.columns, f"{CHANGE}{question.against}, KL": divergence(control)})
    return Answer(question, study, table, tuple(sentences))


@cache
def committed(folder: str) -> Study | None:
    """The committed studies of a folder as one, whichever profile their allocations looked at; None without any."""
    store = Store(HOME / "demo")
    named = ((each, protocols.short_name(Study(each.spec, each.provenance, ()))) for each in store.entries("study"))
    entries = [each for each, name in named if name == PROTOCOLS[folder]]  # no other is read: they are many
    studies = protocols.by_protocol(protocols.grouped_by_protocol(store, entries).values())
    # of two called alike the last one counts: that which looked at a calibration text
    return max(reversed(studies), key=lambda each: each.spec.calibration is not None, default=None)


# --- questions that a bench answered once, each with its committed table: predictions, speed, agreement, families ----


class Bench(NamedTuple):
    """A question that a bench answered once, whose table is committed as `cache/demo/benches/NAME.csv`."""

    title: str
    about: str
    command: str  # measures it again
    bars: str = ""  # the column that is drawn

    def table(self, name: str) -> pd.DataFrame:
        """The measured table, a row for each name in the first column; NaN where nothing was measured."""
        return pd.read_csv(bench_file(name)).rename(columns={"Unnamed: 0": "what"})

    def chart(self, name: str) -> Chart:
        """Dots of one column."""
        return evaluation.bench(self.table(name), self.bars, self.title)


def bench_file(name: str) -> Path:
    """File that a bench writes its table to."""
    return HOME / "demo" / "benches" / f"{name}.csv"


C4 = "data/c4_en_train_first1000.jsonl, the first 1,000 documents of allenai/c4 (en, train)"
WIKITEXT = "data/wiki.test.raw, the test text of Salesforce/wikitext (wikitext-2-raw-v1)"


def texts_of(command: str) -> str:
    """A sentence on the files of text that a printed command reads and where they come from; empty without any."""
    studies = command.startswith(("make studies", "make demo"))
    if "c4_en_train" not in command and not studies:
        return "It reads the demo text, which is part of this project." if "--text demo" in command else ""
    files = f"{C4}, and {WIKITEXT}" if studies else C4
    return f"It reads {files}. If a file is missing, it is named before anything is queued."


_PEERS = "make bench"
BENCHES = {
    "prediction": Bench(
        "How well is a perplexity predicted before pruning?",
        "Errors of the increase in loss over the dense model's, or as named, of every committed setting: predicted "
        "from all others of its pruner, repair and protocol, and from the four default anchors alone.",
        "make studies",
        "median error, %",
    ),
    "sketched": Bench(
        "What is a plan by the sketch worth, and what do its pairs add?",
        "SmolLM2 on C4 held out, 16 windows of 512 tokens for bits and 48 for zeros by Wanda, and on 16 of WikiText-2 "
        "test, beside uniform at the same size. The sketch took 256 backward passes on C4. Where linears "
        "that engines join share a width, nothing of the gain at 3 bits is left. Pairs count a quarter: so the harm on "
        "windows that the plan had not seen is 0.98 ± 0.03 of that of the plan by sums alone; on Gemma it is 1.04 ± "
        "0.12, no gain.",
        "python -m tests.bench.sketched C4 WIKITEXT CACHE",
        "times uniform's perplexity",
    ),
    "families": Bench(
        "Which model families work?",
        "Each cell is a test on a small random model of the family: yes where it passes, no where it is refused in one "
        "sentence.",
        "python -m tests.bench.capabilities",
    ),
    "checkpoints": Bench(
        "Where did a compressed checkpoint go wrong?",
        "The bundled model beside three quantisations and its own export pruned by Wanda to 50 %, on 8 windows of 64 "
        "tokens of the demo text; Gemma 3 beside one of its own. In the Q2_K file only mlp.down_proj has two bits.",
        "make demo",
        "KL of the whole, nats",
    ),
    "recovered": Bench(
        "Does what training wins back hold elsewhere?",
        "Response per matrix by ALPS and refit to dense, before and after 400,000 tokens of training: on 48 windows of "
        "512 tokens that the pruner read too, that were trained on, of C4 held out and of WikiText-2 test, and on 16 "
        "held back. Right answers are to 200 questions of each of four tasks, a share known to 7 points.",
        "python -m tests.bench.recovered STUDY CACHE TEXT TASKS",
        "perplexity, WikiText-2",
    ),
    "llama_cpp": Bench(
        "How small and how fast is it elsewhere?",
        "Files that this product wrote, judged by llama.cpp's own tools on 8 windows of 512 tokens of WikiText-2 and "
        "timed on two cores. In the mixed file the first and the last layer have 8 bits, attention 5, the rest 4.",
        "python -m tests.bench.llama_cpp BINARIES TEXT FOLDER",
        "writes, tokens/s",
    ),
    "kquants": Bench(
        "What are plans of K- and IQ-types worth beside llama.cpp's?",
        "Each row is a mix of llama.cpp's, or one type for all matrices (pure), beside our plan of the same bytes, "
        "that with layers in reverse order, and one with llama.cpp's types for embeddings and head, which are a third "
        "of the weights here and less in larger models. One importance matrix and one writer, llama-quantize, serve "
        "all; llama-perplexity judges, on 8 windows of 512 tokens of WikiText-2 that nothing was chosen on. Our plans "
        "have no IQ2, which ggml takes an hour for. The model is the bundled one, its stream rotated and padded: the "
        "same function in full precision with rows of 256, which no other at hand has. Of its linears 180 were "
        "damaged alone too, each by one of six types: sketched harm is 0.98 of the measured one in the median, 19 of "
        "20 are within a factor of 1.27, and their order agrees by 0.997.",
        "python -m tests.bench.kquants BINARIES MODEL C4 TEXT OUT",
        "our KL over theirs",
    ),
    "sweeps": Bench(
        "How fast is a sweep beside other tools?",
        "Damage at every layer of 4 windows of 64 tokens, with the same drift and harm read by all, on two cores.",
        _PEERS,
        "times this product",
    ),
    "perplexities": Bench(
        "How fast is a perplexity beside lm-eval?", "The loss of 8 windows of 512 tokens.", _PEERS, "times this product"
    ),
    "pruners": Bench(
        "Do the pruners agree with llm-compressor's?",
        "Every layer pruned to 50 % on 8 windows of 512 tokens, once each; the perplexity of 8 others.",
        _PEERS,
        "seconds",
    ),
}
