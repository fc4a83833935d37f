"""Parts of the lab page."""
