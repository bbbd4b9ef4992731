"""Tables of the commands: all of one look, and with room for their words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

_LEAST_COLUMNS: Final = 110
"""Into a pipe or a narrow window we write lines this long rather than fold words."""


def wide_console(*, markup: bool = True) -> Console:
    """One on which a table has room."""
    return Console(width=max(Console().width, _LEAST_COLUMNS), highlight=False, markup=markup)


def table(columns: Sequence[str], unfolded: Collection[str]) -> Table:
    """An empty table; cells of *unfolded* columns stay on one line."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in unfolded)
    return made
