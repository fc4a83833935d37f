"""Parts of the Allocate page."""
