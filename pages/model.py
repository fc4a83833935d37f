"""The Model page: what is known of a model, how to measure one, two beside each other, and all that is stored."""

from pages.ui import form, watch
from pages.ui.model import absorption, compare, measure, stored

PARTS = {
    "absorption": ("Absorption", absorption.show),
    "measure": ("Measure", measure.show),
    "compare": ("Compare", compare.show),
    "results": ("Your results", stored.show),
}

titles = {key: title for key, (title, _) in PARTS.items()}
part = form.switch("Part", titles, "see", "absorption", label_visibility="collapsed")
job = watch.watched() if part != "results" else None  # there all are listed
PARTS[part][1](job) if part == "measure" else PARTS[part][1]()
