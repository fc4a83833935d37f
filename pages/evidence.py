"""The Evidence page: a measured question at a time, with its chart, its table and the command that repeats it."""

import pandas as pd
import streamlit as st

from core.base import capital, number, per_cent
from core.results import CHANGE, FAILS, HOLDS
from core.show.report import claims, questions
from core.show.report.questions import BENCHES, Bench
from pages.ui import form, layout, studies

layout.title("What was measured?")
st.caption(
    "Of the bundled model, unless the question says otherwise. Changes are paired over windows; brackets are 95 % "
    "intervals, over calibration seeds where there are three or more. An interval that holds 0 decides nothing."
)
QUESTIONS = questions.QUESTIONS | BENCHES
TITLES = {claims.PAPER: claims.TITLE} | {name: each.title for name, each in QUESTIONS.items()}
HUES = {HOLDS: "green", FAILS: "orange"}
name = form.choice("Question", TITLES, "question", claims.PAPER)


def show_claims() -> list[tuple[str, str]]:
    """Draw the claims by paper and model, the surprises, and one claim; return its protocols with their commands."""
    rows = [["Claim", *claims.PROFILES], ["---"] * (1 + len(claims.PROFILES))]
    for claim in claims.CLAIMS.values():
        verdicts = (f":{HUES.get(word, 'gray')}-badge[{word}]" for word in claim.verdicts)
        rows.append([f"{claim.title} :small[{claim.paper}]", *verdicts])
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))
    st.markdown("**What surprised us**")
    layout.bullets(map(claims.with_numbers, claims.SURPRISES))
    st.caption(claims.RULE)
    titles = {key: claim.title for key, claim in claims.CLAIMS.items()}
    claim = claims.CLAIMS[form.choice("Claim", titles, "claim", next(iter(titles)))]
    layout.show(claim.chart(), "evidence", "claim-chart")
    layout.caption(claim.about)
    return [(each.protocol, each.command) for each in claims.answers(claim).values() if each]


def show_bench(bench: Bench) -> None:
    """Draw what a bench measured."""
    if bench.bars:
        layout.show(bench.chart(name), "evidence", name)
    else:
        layout.header(bench.title)
        layout.show_table(bench.table(name), f"All numbers: {bench.title}")
    st.caption(bench.about)


def show_answer(answer: questions.Answer) -> None:
    """Draw the answer of a question's studies at one target."""
    targets = answer.targets
    target = targets[-2] if len(targets) > 2 else targets[-1]
    write = number if answer.budget_unit.bits else per_cent
    if len(targets) > 1:
        target = form.switch(capital(answer.budget_unit.unit), {each: write(each) for each in targets}, "zeros", target)
    row, change = answer.lowest(target)
    studies.hero(f"Lowest perplexity: {row.called}", row.one, change, answer.question.against)
    studies.badge(answer.study)
    layout.show(questions.chart(answer, target), "evidence", name)
    for sentence in answer.sentences:
        st.markdown(sentence)

    def settings():
        heads, *rows = answer.table.read.texts
        wide = {head: st.column_config.Column(width=330) for head in heads if head.startswith(CHANGE)}  # else cut off
        layout.show_table(pd.DataFrame(rows, columns=heads), f"All settings: {answer.question.title}", wide)
        layout.download(lambda: answer.table.csv, f"evidence-{name}", f"{name}-table")

    layout.folded("All numbers", settings)


if name == claims.PAPER:
    steps = show_claims()
else:
    show_bench(BENCHES[name]) if name in BENCHES else show_answer(questions.answer(name))
    steps = [("What is committed is not measured twice.", QUESTIONS[name].command)]
layout.commands((f"{about} {questions.texts_of(line)}", line) for about, line in steps)
