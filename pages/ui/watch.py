"""Being built."""


def sidebar() -> None:
    """Draw running jobs."""
