"""A pruned model as a plain folder that loads anywhere."""
