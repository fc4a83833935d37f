"""What can be asked: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""
