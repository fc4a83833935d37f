"""A few tokens at a time: the same numbers as all at once, whatever the shape."""

import pytest
import torch

from core.models import CACHED, by_tokens


def read(logits, targets):
    """What stays a row, and what is summed to a number."""
    log_p = logits.log_softmax(-1)
    return log_p.gather(-1, targets), (log_p.exp() * log_p).sum(-1)


@pytest.mark.parametrize(
    ("sequences", "tokens", "vocabulary"), [(1, 1, 40), (3, 5, 7), (2, 9, CACHED // 4), (1, 3, CACHED), (1, 1, CACHED)]
)
def test_tokens_are_read_alike_in_any_company(sequences, tokens, vocabulary):
    torch.manual_seed(0)
    logits = torch.randn(sequences, tokens, vocabulary)
    targets = torch.randint(vocabulary, (sequences, tokens, 2))
    pieces = []

    def seen(logits, targets):
        pieces.append(len(logits))
        return read(logits, targets)

    both = zip(by_tokens(seen, logits, targets), read(logits, targets), strict=True)
    assert all(torch.equal(one, other) for one, other in both)
    assert max(pieces) < 2 * max(2, CACHED // vocabulary) and (min(pieces) > 1 or len(pieces) == 1)
