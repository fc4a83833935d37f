"""The product's name and mark: noise, and what the layers leave of it."""

from pathlib import Path

NAME = "Absorption explorer"
HERE = Path(__file__).parent
MARK = (HERE / "mark.svg").read_text("utf-8")  # alone
LOGO = (HERE / "name.svg").read_text("utf-8")  # beside the name in outlines: no machine lacks its font
