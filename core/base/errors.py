"""The exceptions that are meant for the person at the keyboard."""


class UserError(Exception):
    """A request that cannot be met. The message is one sentence: what was wrong, and what would be right.

    Pages show it, the command line prints it and exits with 2. Every other exception is a bug and keeps its traceback.
    """


class Broken(UserError):
    """A setting breaks the model while it is pruned: a layer's inputs are not finite, or cannot be worked with.

    A study records it as that setting's result, whose perplexity is not a number; everything else refuses.
    """

    def __init__(self, text: str, layer: int | None = None):
        """layer: the one that could not be pruned; None where whoever raises it does not know."""
        super().__init__(text)
        self.layer = layer
