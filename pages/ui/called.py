"""What a run is called: in a narrow line, and in a whole one."""

from __future__ import annotations

from core.ask import naming
from core.ask.jobs import Request
from core.ask.measurements import MeasureRequest
from core.ask.requests import BestRequest, ExportRequest
from core.ask.settings import read_setting
from core.ask.studies import StudyRequest
from core.ask.texts import WindowRequest
from core.base import profile_names
from core.base.errors import UserError
from core.base.formats import capital, model_name, per_cent, text_name
from pages.ui.measure.choose import MODELS


def model(request: Request) -> str:
    """The model of a request as pages name it: folders by their last part."""
    return model_name(request.model, MODELS["demo"])


def source(text: WindowRequest) -> str:
    """A text as pages name it: files by their name."""
    return text_name(text.source)


def setting(line: str) -> str:
    """A setting as pages name it, from the line that it is stored as; what is no such line stays as it is."""
    try:
        return line if line.endswith(".json") else naming.whole(read_setting(line))
    except UserError:
        return line


def brief(request: Request) -> str:
    """What is done and to what, in a narrow line: what differs between runs of one model comes first."""
    match request:
        case MeasureRequest():
            said = ["measuring", _amount(request.text)]
        case StudyRequest():
            asked = request.settings
            what = naming.allocation(asked[0].allocation) if len(asked) == 1 else _settings(request)
            said = ["evaluation", what, source(request.evaluation.text)]
        case ExportRequest():
            said = ["export", naming.allocation(request.setting.allocation)]
        case BestRequest():
            said = ["best setting", per_cent(request.target) if request.target else "within a loss"]
        case _:
            return request.title
    return " · ".join([*said, profile_names.narrow(model_name(request.model))])


def title(request: Request) -> str:
    """What a request asks for, in one line."""
    match request:
        case MeasureRequest():
            said = [f"{_amount(request.text)} tokens", _several(len(request.measurements), "perturbation")]
        case StudyRequest():
            said = [f"{_settings(request)} on {_amount(request.evaluation.text)} tokens"]
        case ExportRequest():
            said = [f"export to {request.folder}", naming.whole(request.setting)]
        case _:
            return capital(request.title)
    return " · ".join([model(request), *said])


def _amount(text: WindowRequest) -> str:
    return f"{source(text)} · {text.sequences} × {text.length}"


def _settings(request: StudyRequest) -> str:
    return _several(len(request.settings), "setting") if request.settings else "dense model"


def _several(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count} {what}s"
