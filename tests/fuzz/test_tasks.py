"""Task folders: keys of other types, nested or repeated without end, special files, and data of every kind."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.judge import task_files
from tests.builders.task_folder import YAML
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed, odd

TASK = yaml.safe_load(YAML.format(data="birds.jsonl"))
KEYS = ("repeats", "filter_list", "fewshot_config", "process_docs", "include", "group", "unsafe_code", "gen_prefix")
ROW = {"question": "who sang?", "choices": ["a heron", "a crow"], "gold": 0}
WIDE = [json.dumps({f"key {number}": 0}) for number in range(4000)]
NESTED = st.recursive(odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


def deep(depth):
    return "[" * depth + "]" * depth


@st.composite
def written(draw):
    """A task file that is nearly one."""
    keys = draw(changed(TASK))
    if isinstance(keys, dict) and draw(st.booleans()):
        keys |= draw(st.dictionaries(st.sampled_from(KEYS), NESTED, max_size=2))
    text = json.dumps(keys) if draw(st.booleans()) else yaml.safe_dump(keys, allow_unicode=False)
    more = draw(
        st.sampled_from(["", "", "\nx: &a [*a]", f"\nx: {deep(200)}", "\nx: 1" + ":59" * 9000, "\nx: !!set {a}"])
    )
    return text + more


@fuzz
@given(st.data())
def test_a_task_folder(tmp_path_factory, data):
    where = tmp_path_factory.mktemp("tasks")
    rows = data.draw(st.lists(st.just(ROW) | changed(ROW), max_size=3))
    nest = data.draw(st.sampled_from([0, 0, 0, 90, 900, 50_000]))
    lines = [json.dumps(each) for each in rows] + [f'{{"question": {deep(nest)}}}'] * bool(nest)
    lines += data.draw(st.sampled_from([[], [], ['\\"' * 100_000], ["," * 10_000], WIDE]))
    (where / "birds.jsonl").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    (where / "birds.yaml").write_text(data.draw(written()), encoding="utf-8", errors="replace")
    found = answered(lambda: task_files.read(where))
    for each in (found or {}).values():
        answered(lambda each=each: task_files.with_data(each))
