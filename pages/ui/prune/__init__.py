"""Parts of the prune page: what is asked, what was stored, what it says, and what can be taken along."""
