"""The product beside others that do the same work: what both find is compared first, then both are timed in turn."""
