"""Stored results as one HTML file that opens offline."""

from core import lazily

__getattr__ = lazily(
    __name__,
    claims="CLAIMED CLAIMS MEASURED Measured PROFILES",
    question_table="best",
    questions="BENCHES bench_file",
    remake="request_of_profile",
    reports="Exhibit Report html",
)
