"""The Evidence page's matrix of families and capabilities, every cell tried: `python -m tests.bench.capabilities`."""

import pandas as pd

from core.show.report import bench_file
from tests.capabilities import CAPABILITIES, cell
from tests.families import FAMILIES


def told():
    """(family, capability) -> what the page says."""
    rows = pd.read_csv(bench_file("families"), index_col=0)
    return {(family, each): said for family, row in rows.iterrows() for each, said in row.items()}


if __name__ == "__main__":
    tried = {each: [cell(family, each) for family in FAMILIES] for each in CAPABILITIES}
    pd.DataFrame({"family": list(FAMILIES), **tried}).to_csv(bench_file("families"), index=False)
