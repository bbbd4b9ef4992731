"""Printable: names, containers and reasons are a stranger's text and could steer a terminal or mislead its reader."""

from __future__ import annotations


def printable(text: str) -> str:
    """*text* on one line, with what cannot be printed written as its code point."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
