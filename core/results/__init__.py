"""Numbers from results: how drift spreads, evaluated settings and how they compare, the answer of a search."""

from core.results.anchors import Anchors, CheckedPrediction, Prediction, anchors_of_study
from core.results.best import Best
from core.results.comparison import FEWEST_WINDOWS, Interval, spearman, verdict
from core.results.setting_result import Change, Result
from core.results.study_results import Slice, Study, slice_of
from core.results.study_table import CHANGE, Row, Table, rows_of
