"""What the dashboards ask, and the same as Prometheus understands it without Grafana."""

from __future__ import annotations

from dashboards.boards import BOARDS


def asked() -> set[str]:
    """Every query of every panel."""
    return {query.expr for board in BOARDS.values() for panel in board.panels for query in panel.queries}


def filled_in(expr: str, *, interval: str = "1m", span: str = "1h") -> str:
    """*expr* with what Grafana puts in for its variables: all units, a rate's window, the range shown."""
    return expr.replace("$unit", ".*").replace("$__rate_interval", interval).replace("$__range", span)
