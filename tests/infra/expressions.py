"""PromQL as the tests read it: the rules as committed, what the dashboards ask, and which series an expression reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from dashboards.boards import BOARDS

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final[list[dict[str, Any]]] = [
    rule
    for path in sorted(ROOT.glob("infra/prometheus/rules/*.yml"))
    for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
_NOT_READ: Final = (
    r'"[^"]*"|\{[^}]*\}|\[[^]]*\]',  # texts, matchers, ranges
    r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)",  # lists of labels
    r"\b[a-z_]+\s*(?=\()",  # functions
    r"\b(?:or|and|unless|bool|offset\s+\w+|[0-9.e]+|Inf)\b",
)


def series_in(expression: str) -> set[str]:
    """The names of the series that *expression* reads."""
    for pattern in _NOT_READ:
        expression = re.sub(pattern, " ", expression)
    return set(re.findall(r"[a-zA-Z_][a-zA-Z0-9_:]*", expression))


def asked() -> set[str]:
    """Every query of every panel."""
    return {query.expr for board in BOARDS.values() for panel in board.panels for query in panel.queries}


def filled_in(expr: str, *, interval: str = "1m", span: str = "1h") -> str:
    """*expr* with what Grafana puts in for its variables: all units, a rate's window, the range shown."""
    return expr.replace("$unit", ".*").replace("$__rate_interval", interval).replace("$__range", span)
