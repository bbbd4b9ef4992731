"""Markup: HTML and SVG that cannot be broken by what is put into it. Text is escaped unless it is markup already."""

from __future__ import annotations

from html import escape
from typing import Final

_EMPTY: Final = frozenset({"meta", "line", "rect", "path", "circle", "br", "col"})
"""Elements written without an end tag in HTML, or as one in SVG."""


class Markup(str):
    """Text that is markup: made by :func:`tag` alone, or from files of ours."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """One element. ``class_`` is ``class``, ``data_at`` is ``data-at``; ``None`` and ``False`` leave an attribute out.

    >>> tag("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _EMPTY and not children:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Several one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))
