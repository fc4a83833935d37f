"""Texts to token windows."""
