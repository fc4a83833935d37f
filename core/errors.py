"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """A request that cannot be met. The message is one sentence: what was wrong, and what would be right.

    Pages show it, the command line prints it and exits with 2. Every other exception is a bug and keeps its traceback.
    """
