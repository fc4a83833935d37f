"""Pruned models as plain folders that load anywhere."""
