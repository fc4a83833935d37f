"""A process of its own that encodes standard input by a tokenizer.json, for one may make a word grow without end."""

from __future__ import annotations

import sys

from tokenizers import Tokenizer

MEMORY = 2**32  # bytes that it may take

if __name__ == "__main__":
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.stdin.reconfigure(encoding="utf-8")
    Tokenizer.from_file(sys.argv[1]).encode(sys.stdin.read())
