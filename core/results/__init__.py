"""Numbers from results: how drift spreads, evaluated settings and how they compare, the answer of a search."""

from core.results.best import Best
from core.results.comparison import FEWEST_WINDOWS, Change, spearman, verdict
from core.results.forecast import CheckedPrediction, Forecast, Prediction, forecast_of_study
from core.results.setting_result import Result
from core.results.study_columns import CHANGE, Row, rows_of
from core.results.study_results import Slice, Study, slice_of
from core.results.study_table import Table
