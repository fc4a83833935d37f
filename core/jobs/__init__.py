"""The queue, its records, and the process that works on it."""

from core import lazily

__getattr__ = lazily(
    __name__,
    cluster="Place place read",
    context="WorkContext",
    cost="Cost",
    processes="send_at_once",
    queue="PROJECT tidy",
    records="Status",
    worker="Recorder",
)
