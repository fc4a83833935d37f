"""Spec to folder: files, tables, what is answered, packs, profiles read back."""
