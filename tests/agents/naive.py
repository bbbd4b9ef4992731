"""The agents one would write first, as the documentation of Faust shows them: no runner. Used to show what they lose."""

from __future__ import annotations

from typing import Any

from tests.agents import toy


def bind(app: Any, names: toy.Names) -> None:
    """``order`` and ``link`` with their state in memory and nothing else."""
