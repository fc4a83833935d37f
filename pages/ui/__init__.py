"""Shared parts of pages: choices, charts, running jobs. Imports neither torch nor transformers."""
