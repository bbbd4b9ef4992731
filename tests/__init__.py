"""Tests; mirrors ``pipeline``."""
