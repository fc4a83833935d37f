"""Parts of the Absorption page."""
