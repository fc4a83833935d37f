"""The lab: scenes, answers and continuations with a warm model in a process of its own."""

from core import lazily

__getattr__ = lazily(
    __name__,
    answers="LabModel ModelServer gain",
    continuation="Continuation Continuations TEMPERATURE",
    injections="DENSE HURT TWIN",
    scheduler="Scheduler WarmModel",
)
