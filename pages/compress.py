"""The Compress page: from a goal to a file, an allocation tuned by hand, and what was measured of settings."""

from pages.ui import current_profile, form, watch
from pages.ui.compress import goal, results, tune

PARTS = {"goal": ("Goal", goal.show), "tune": ("Tune", tune.show), "results": ("Results", results.show)}

profile = current_profile.profile()
titles = {key: title for key, (title, _) in PARTS.items()}
part = form.switch("Part", titles, "part", "goal", label_visibility="collapsed")
watch.watched()
PARTS[part][1](profile)
