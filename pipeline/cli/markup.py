"""Markup: HTML and SVG that cannot be broken by what is put into it. Text is escaped unless it is markup already.

A page of ours carries its style and scripts in itself and names each by its digest, so that nothing put in their place runs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
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


def asset(name: str) -> Markup:
    """A style or a script of ours, to stand in a page as it is."""
    return Markup((files("pipeline.cli") / name).read_text("utf-8"))


def digest(data: str | bytes) -> str:
    """How a page names what may run in it (Content Security Policy, subresource integrity)."""
    data = data.encode() if isinstance(data, str) else data
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def head(title: str, style: Markup, *, scripts: Sequence[str | bytes] = (), sources: str = "") -> Markup:
    """The head of a page in which *style* and *scripts* count and nothing else does. *sources*: further directives of where
    it may fetch from; none, and it fetches nothing."""
    allowed = " ".join(f"'{digest(script)}'" for script in scripts)
    guard = f"default-src 'none'; style-src '{digest(style)}'; " + (f"script-src {allowed}; " if allowed else "")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Markup(
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"{guard}{sources}base-uri 'none'; form-action 'none'\">"
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", style),
    )
