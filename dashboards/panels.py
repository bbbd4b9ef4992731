"""What boards are made of: a panel is what it asks, in which unit, in which colours; nothing of Grafana is here.

``stat``: the present value; ``sign``: the same with its name, to be read across a room; ``levels``: the present values of
several; ``lines``, ``areas``, ``states`` and ``heat``: how values moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["sign", "stat", "lines", "areas", "levels", "states", "heat"]
Steps = tuple[tuple[float | None, str], ...]
Maker = Callable[..., "Panel"]
"""Key, width and height, unit, colours, and the query or its queries by legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """``legend``: a word of the catalogue, or ``{{label}}``. ``now``: one value at the end of the range, no series."""

    expr: str
    legend: str = ""
    now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """``key``: its words. ``width`` and ``height`` in Grafana's grid of 24 columns. ``steps``: colours from a value on.
    ``words``: values shown as words, from the first bound up to the second."""

    key: str
    kind: Kind
    width: int
    height: int
    unit: str
    steps: Steps
    queries: tuple[Query, ...]
    words: tuple[tuple[float, float, str, str], ...] = ()
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """``key``: its words and uid. ``back``: the range it opens with. ``units``: whether a unit can be chosen."""

    key: str
    panels: tuple[Panel, ...]
    back: str
    refresh: str = "30s"
    units: bool = False


def _maker(kind: Kind, *, now: bool = False) -> Maker:
    def make(
        key: str, size: tuple[int, int], unit: str, steps: Steps, asks: str | Mapping[str, str], **more: Any
    ) -> Panel:
        queries = {"": asks} if isinstance(asks, str) else asks
        made = tuple(Query(expr=expr, legend=legend, now=now) for legend, expr in queries.items())
        return Panel(key=key, kind=kind, width=size[0], height=size[1], unit=unit, steps=steps, queries=made, **more)

    return make


sign, stat, levels = _maker("sign", now=True), _maker("stat", now=True), _maker("levels", now=True)
lines, areas, states, heat = _maker("lines"), _maker("areas"), _maker("states"), _maker("heat")
