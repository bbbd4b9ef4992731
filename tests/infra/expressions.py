"""PromQL as the tests read it: the rules as committed, and which series an expression reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

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
