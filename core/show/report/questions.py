"""The questions that the committed studies answer, each with its table: the Evidence page, the README."""

from functools import cache

from core.base import UserError, digits, distinct, frozen
from core.methods import BudgetUnit
from core.results import CHANGE, Change, Row, Study, Table, protocols, rows_of
from core.results.study_columns import RESULTS, UNIFORM, divergence
from core.results.study_table import study_table
from core.show.figures import evaluation
from core.show.figures.style import Chart
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
    study = committed().get(question.folder)
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
def committed() -> dict[str, Study]:
    """Folder -> its committed studies as one, whichever profile their allocations looked at."""
    store, folders = Store(HOME / "demo"), {name: folder for folder, name in PROTOCOLS.items()}
    study = protocols.grouped_by_protocol(store, store.entries("study")).values()
    # of two called alike the last one counts: that which looked at a calibration text
    read = sorted(protocols.by_protocol(study), key=lambda each: each.spec.calibration is not None)
    return {folders[protocols.short_name(each)]: each for each in read}
