"""Spec to folder: results and their arrays, parts of them, packs, profiles read back."""
