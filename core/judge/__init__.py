"""Judging pruned models: studies, searches and zero-shot tasks."""
