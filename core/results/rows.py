"""An evaluated setting as a row: its names, and its change against another row. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from core.ask import naming
from core.base.formats import distinct
from core.base.spec import frozen
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.results.protocols import short


@frozen
class Row:
    """An evaluated setting and the studies that it is from."""

    study: Evaluations
    one: EvaluatedSetting

    @property
    def key(self) -> str:
        """The study's key and the place of the setting's first point in it."""
        return f"{self.study.spec.key}-{self.study.points.index(self.one.result)}"

    @property
    def model(self) -> str:
        return str(self.study.provenance.get("model", self.study.spec.model.content))

    @property
    def allocation(self) -> str:
        """With every parameter that is not usual; a number where others set by hand are called alike."""
        if self.one.setting is None:
            return "dense"
        _, number, which = self.one.name.partition(" #")
        return f"{naming.long(self.one.setting.allocation)}{number}{which}"

    @property
    def called(self) -> str:
        """The setting in words, its target and pruner too."""
        return naming.setting(self.one.setting.seedless) if self.one.setting else "dense"

    def apart(self, other: Row) -> str:
        """The reason against comparing its perplexity with another's; empty for one model and the same windows."""
        mine, its = ((row.study.spec.model.key, row.study.spec.text.key) for row in (self, other))
        versions = {row.one.result.pruned.earlier for row in (self, other) if row.one.result.pruned}
        if mine == its and len(versions) < 2:
            return ""
        return "they were measured otherwise: {} by {}, and {} by {}".format(
            *(said for row in (self, other) for said in (row.model, short(row.study)))
        )

    @property
    def name(self) -> str:
        """The setting with all that tells it from others in a list."""
        return " · ".join([self.called, self.model, short(self.study)])


def names(rows: Sequence[Row]) -> list[str]:
    """A name for each row, as short as tells it from all others."""
    return distinct((row.allocation, row.called, row.name, f"{row.name} ({row.key})") for row in rows)
