"""Numbers from results: how drift spreads, evaluated settings and how they compare, the answer of a search."""

from core.results.best import Best, BestProvenance, commands, whole_line
from core.results.candidates import CONTROLS, choose, default_anchors, ranked
from core.results.checkpoints import Compared, compared
from core.results.comparison import (
    FAILS,
    FEWEST_SEEDS,
    FEWEST_WINDOWS,
    HOLDS,
    OPEN,
    UNKNOWN,
    Accuracy,
    Change,
    Outcome,
    mean,
    paired,
    percent,
    percent_text,
    spearman,
    standard_error,
    verdict,
)
from core.results.forecast import STEP, Forecast, Prediction, forecast_of_study
from core.results.frontier import Frontier, Point
from core.results.leaderboard import THIS_ALLOCATION, Leaderboard, RankedMethod, interval, place_at, tied
from core.results.protocols import amount, label, short_name
from core.results.search_plan import final_request
from core.results.setting_result import Result, SeedResult
from core.results.stored_forecasts import MIN_ANCHORS, best_forecast, load_forecast, load_forecasts, transferred_to
from core.results.study_results import Slice, Study, examples, profile_key, shared_tasks, slice_of
from core.results.study_table import CHANGE, MEAN, RESULTS, UNIFORM, Control, Row, Table, divergence, rows_of
from core.results.suspects import Suspect, fixed_plan, shares, suspects
from core.results.text_splits import split
