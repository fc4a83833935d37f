"""Parts of the Prune page: evaluation, results, search and export."""
