"""The five boards as data: which panels, what each asks of Prometheus, in which unit, and when it is bad.

Queries are built from ``pipeline.metrics`` and the recorded rules, so a renamed metric breaks here and not on a wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pipeline import metrics as m
from pipeline.metrics import Metric

Kind = Literal["stat", "lines", "areas", "levels", "states", "heat"]
Steps = tuple[tuple[float | None, str], ...]


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


def name(metric: Metric) -> str:
    """A metric's name on the wire."""
    return f"unbroken_{metric.name}"


def _per(metric: Metric, labels: str, window: str, matchers: str = "") -> str:
    return f"sum by ({labels}) (increase({name(metric)}{matchers}[{window}]))"


PLAIN: Final[Steps] = ((None, "blue"),)
GOOD_AT_ZERO: Final[Steps] = ((None, "green"), (1, "red"))
WARN_AT_ONE: Final[Steps] = ((None, "green"), (1, "orange"))
HOURS_LEFT: Final[Steps] = ((None, "red"), (1, "orange"), (4, "green"))
NONE_H: Final = 24 * 7
"""A deadline this far away is none: the shown value is cut here."""

NEXT: Final = "unbroken:deadline_next_timestamp_seconds:min"
GAPS: Final = "unbroken:gaps_standing:sum"
LAG: Final = "unbroken:lag_events:sum"
FREE: Final = "unbroken:store_free_bytes"
UNIT: Final = '{unit=~"$unit"}'

_NONE: Final = ((0, 0.5, "none", "green"),)
_LOCKS: Final = ((0, 0.5, "broken", "red"), (0.5, 1.5, "holds", "green"))
_ROOM: Final = ((-2, -0.5, "not_known", "text"),)

WALL: Final = Board(
    key="wall",
    back="24h",
    refresh="1m",
    panels=(
        Panel(
            key="next_deadline",
            kind="stat",
            width=8,
            height=6,
            unit="h",
            decimals=1,
            steps=HOURS_LEFT,
            queries=(Query(expr=f"clamp_max((min({NEXT}) - time()) / 3600, {NONE_H}) or vector({NONE_H})", now=True),),
            words=((NONE_H, 1e9, "none_open", "green"),),
        ),
        Panel(
            key="at_risk",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f'sum({name(m.UNARCHIVED)}{{age_band="20_24h"}})', now=True),),
            words=_NONE,
        ),
        Panel(
            key="missed_today",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=GOOD_AT_ZERO,
            queries=(Query(expr=f"round(sum(increase({name(m.DEADLINE_BREACHES)}[24h])))", now=True),),
            words=_NONE,
        ),
        Panel(
            key="unexplained",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f'sum({GAPS}{{gap_class="unexplained"}})', now=True),),
            words=_NONE,
        ),
        Panel(
            key="not_arrived",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f"sum({name(m.EXPECTED)})", now=True),),
            words=_NONE,
        ),
        Panel(
            key="locks",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=((None, "red"), (1, "green")),
            queries=(Query(expr=f"min({name(m.WORM_SUCCESS)} and {name(m.WORM_LAST)} > 0) or vector(0)", now=True),),
            words=_LOCKS,
        ),
        Panel(
            key="unit_states",
            kind="states",
            width=24,
            height=11,
            unit="short",
            steps=((None, "green"), (1, "orange"), (2, "red"), (3, "dark-red")),
            queries=(Query(expr="unbroken:unit_state", legend="{{unit}}"),),
            words=(
                (0, 0.5, "in_order", "green"),
                (0.5, 1.5, "under_4h", "orange"),
                (1.5, 2.5, "under_1h", "red"),
                (2.5, 9, "missed", "dark-red"),
            ),
        ),
    ),
)

DEADLINES: Final = Board(
    key="deadlines",
    back="24h",
    units=True,
    panels=(
        Panel(
            key="objective_a",
            kind="stat",
            width=6,
            height=5,
            unit="percentunit",
            decimals=2,
            steps=((None, "red"), (0.999, "green")),
            queries=(Query(expr="1 - unbroken:deadline_missed:ratio3d", now=True),),
        ),
        Panel(
            key="objective_b",
            kind="stat",
            width=6,
            height=5,
            unit="percentunit",
            decimals=2,
            steps=((None, "red"), (0.94, "orange"), (0.99, "green")),
            queries=(Query(expr="1 - unbroken:archive_slow:ratio6h", now=True),),
        ),
        Panel(
            key="oldest",
            kind="stat",
            width=6,
            height=5,
            unit="h",
            decimals=1,
            steps=((None, "green"), (20, "orange"), (24, "red")),
            queries=(
                Query(expr=f"clamp_min((time() - min({name(m.UNARCHIVED_OLDEST_END)}{UNIT})) / 3600, 0)", now=True),
            ),
        ),
        Panel(
            key="tracker",
            kind="stat",
            width=6,
            height=5,
            unit="s",
            decimals=0,
            steps=((None, "green"), (120, "orange"), (300, "red")),
            queries=(Query(expr=f"time() - max({name(m.LAST_SWEEP)} and {name(m.TRACKER_READY)} == 1)", now=True),),
        ),
        Panel(
            key="by_age",
            kind="areas",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=f"sum by (age_band) ({name(m.UNARCHIVED)}{UNIT})", legend="{{age_band}}"),),
        ),
        Panel(
            key="next_by_unit",
            kind="levels",
            width=12,
            height=8,
            unit="h",
            decimals=1,
            steps=HOURS_LEFT,
            queries=(
                Query(
                    expr=f"clamp_max((min by (unit) ({NEXT}{UNIT}) - time()) / 3600, {NONE_H})",
                    legend="{{unit}}",
                    now=True,
                ),
            ),
            words=((NONE_H, 1e9, "none_open", "green"),),
        ),
        Panel(
            key="outcomes",
            kind="areas",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=_per(m.DEADLINE_OUTCOMES, "outcome", "1h", UNIT), legend="{{outcome}}"),),
        ),
        Panel(
            key="causes",
            kind="areas",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=GOOD_AT_ZERO,
            queries=(Query(expr=_per(m.DEADLINE_BREACHES, "cause", "1d", UNIT), legend="{{cause}}"),),
        ),
        Panel(
            key="latency",
            kind="lines",
            width=12,
            height=8,
            unit="s",
            steps=((None, "green"), (4 * 3600, "orange"), (24 * 3600, "red")),
            queries=tuple(
                Query(
                    expr=f"histogram_quantile({part}, sum by (le) (increase({name(m.ARCHIVE_LATENCY)}_bucket[1h])))",
                    legend=legend,
                )
                for part, legend in ((0.5, "half"), (0.95, "most"))
            ),
        ),
        Panel(
            key="latency_map",
            kind="heat",
            width=12,
            height=8,
            unit="s",
            steps=PLAIN,
            queries=(
                Query(
                    expr=f"sum by (le) (increase({name(m.ARCHIVE_LATENCY)}_bucket[$__rate_interval]))", legend="{{le}}"
                ),
            ),
        ),
    ),
)

COMPLETENESS: Final = Board(
    key="completeness",
    back="7d",
    units=True,
    panels=(
        Panel(
            key="covered",
            kind="stat",
            width=8,
            height=6,
            unit="percentunit",
            decimals=2,
            steps=((None, "red"), (0.99, "orange"), (0.999, "green")),
            queries=(
                Query(
                    expr=f"sum(increase({name(m.COVERED_SECONDS)}[$__range])) / "
                    f"clamp_min(sum(increase({name(m.COVERED_SECONDS)}[$__range])) + sum(increase({name(m.GAP_SECONDS)}[$__range])), 1)",
                    now=True,
                ),
            ),
        ),
        Panel(
            key="unexplained",
            kind="stat",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f'sum({GAPS}{{gap_class="unexplained",unit=~"$unit"}})', now=True),),
            words=_NONE,
        ),
        Panel(
            key="clocks",
            kind="areas",
            width=8,
            height=6,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(
                Query(
                    expr=_per(m.FINDINGS, "finding", "1h", '{finding=~"clock_step|clock_drift"}'), legend="{{finding}}"
                ),
            ),
        ),
        Panel(
            key="standing",
            kind="areas",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=f"sum by (gap_class) ({GAPS}{UNIT})", legend="{{gap_class}}"),),
        ),
        Panel(
            key="unexplained_by_unit",
            kind="levels",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(
                Query(
                    expr=f'sum by (unit) ({GAPS}{{gap_class="unexplained",unit=~"$unit"}})', legend="{{unit}}", now=True
                ),
            ),
        ),
        Panel(
            key="gap_minutes",
            kind="areas",
            width=12,
            height=8,
            unit="m",
            steps=PLAIN,
            queries=(Query(expr=f"{_per(m.GAP_SECONDS, 'state', '1h')} / 60", legend="{{state}}"),),
        ),
        Panel(
            key="findings",
            kind="levels",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(
                Query(expr=f"topk(10, round({_per(m.FINDINGS, 'finding', '1h')}) > 0)", legend="{{finding}}", now=True),
            ),
        ),
        Panel(
            key="recorded_hours",
            kind="areas",
            width=24,
            height=7,
            unit="h",
            steps=PLAIN,
            queries=(Query(expr=f"{_per(m.COVERED_SECONDS, 'source_kind', '1d')} / 3600", legend="{{source_kind}}"),),
        ),
    ),
)

PIPELINE: Final = Board(
    key="pipeline",
    back="3h",
    panels=(
        Panel(
            key="workers",
            kind="stat",
            width=6,
            height=5,
            unit="short",
            decimals=0,
            steps=((None, "red"), (2, "green")),
            queries=(Query(expr='sum(up{job="unbroken-worker"})', now=True),),
        ),
        Panel(
            key="broker",
            kind="stat",
            width=6,
            height=5,
            unit="s",
            decimals=0,
            steps=((None, "green"), (60, "orange"), (120, "red")),
            queries=(Query(expr=f"time() - max({name(m.BROKER_LAST)})", now=True),),
        ),
        Panel(
            key="quarantined",
            kind="stat",
            width=6,
            height=5,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f"sum(max by (stage) ({name(m.QUARANTINE_WAITING)}))", now=True),),
            words=_NONE,
        ),
        Panel(
            key="quarantine_age",
            kind="stat",
            width=6,
            height=5,
            unit="h",
            decimals=1,
            steps=((None, "green"), (4, "orange"), (20, "red")),
            queries=(Query(expr=f"clamp_min((time() - min({name(m.QUARANTINE_OLDEST)})) / 3600, 0)", now=True),),
        ),
        Panel(
            key="lag",
            kind="lines",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=((None, "green"), (1000, "orange")),
            queries=(Query(expr=LAG, legend="{{stage}}"),),
        ),
        Panel(
            key="done",
            kind="lines",
            width=12,
            height=8,
            unit="short",
            steps=PLAIN,
            queries=(
                Query(
                    expr=f'sum by (stage) (rate({name(m.EVENTS)}{{result!="replayed"}}[$__rate_interval]))',
                    legend="{{stage}}",
                ),
            ),
        ),
        Panel(
            key="stage_time",
            kind="lines",
            width=12,
            height=8,
            unit="s",
            steps=((None, "green"), (60, "orange"), (600, "red")),
            queries=(
                Query(
                    expr=f"histogram_quantile(0.95, sum by (le, stage) (increase({name(m.STAGE_DURATION)}_bucket[1h])))",
                    legend="{{stage}}",
                ),
            ),
        ),
        Panel(
            key="retrying",
            kind="lines",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f"sum by (stage) ({name(m.RETRYING)})", legend="{{stage}}"),),
        ),
        Panel(
            key="retries",
            kind="areas",
            width=8,
            height=7,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=_per(m.RETRIES, "stage", "1h"), legend="{{stage}}"),),
        ),
        Panel(
            key="partitions",
            kind="lines",
            width=8,
            height=7,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=f"sum by (stage) ({name(m.PARTITIONS)})", legend="{{stage}}"),),
        ),
        Panel(
            key="rebalances",
            kind="areas",
            width=8,
            height=7,
            unit="short",
            decimals=0,
            steps=((None, "green"), (12, "orange")),
            queries=(Query(expr=_per(m.REBALANCES, "instance", "1h"), legend="{{instance}}"),),
        ),
        Panel(
            key="loop",
            kind="lines",
            width=8,
            height=7,
            unit="s",
            steps=((None, "green"), (2, "orange"), (10, "red")),
            queries=(Query(expr=f"max by (instance) ({name(m.LOOP_LAG)})", legend="{{instance}}"),),
        ),
        Panel(
            key="pool",
            kind="lines",
            width=8,
            height=7,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(
                Query(expr=f"sum({name(m.POOL_JOBS)})", legend="files"),
                Query(expr=f"sum({name(m.POOL_PROCESSES)})", legend="places"),
            ),
        ),
        Panel(
            key="pool_deaths",
            kind="areas",
            width=8,
            height=7,
            unit="short",
            decimals=0,
            steps=((None, "green"), (5, "orange")),
            queries=(Query(expr=_per(m.POOL_DEATHS, "instance", "1h"), legend="{{instance}}"),),
        ),
    ),
)

STORE: Final = Board(
    key="store",
    back="7d",
    refresh="1m",
    panels=(
        Panel(
            key="locks",
            kind="stat",
            width=6,
            height=6,
            unit="short",
            decimals=0,
            steps=((None, "red"), (1, "green")),
            queries=(Query(expr=f"min({name(m.WORM_SUCCESS)} and {name(m.WORM_LAST)} > 0) or vector(0)", now=True),),
            words=_LOCKS,
        ),
        Panel(
            key="last_probe",
            kind="stat",
            width=6,
            height=6,
            unit="h",
            decimals=1,
            steps=((None, "green"), (7, "orange"), (12, "red")),
            queries=(Query(expr=f"(time() - min({name(m.WORM_LAST)} > 0)) / 3600", now=True),),
        ),
        Panel(
            key="room",
            kind="stat",
            width=6,
            height=6,
            unit="bytes",
            steps=((None, "text"), (0, "red"), (1, "green")),
            queries=(Query(expr=f"{FREE} or vector(-1)", now=True),),
            words=_ROOM,
        ),
        Panel(
            key="room_ahead",
            kind="stat",
            width=6,
            height=6,
            unit="bytes",
            steps=((None, "text"), (0, "red"), (1, "green")),
            queries=(Query(expr=f"clamp_min(predict_linear({FREE}[6h], 48 * 3600), 0) or vector(-1)", now=True),),
            words=_ROOM,
        ),
        Panel(
            key="archived",
            kind="areas",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=_per(m.ARCHIVED, "source_kind", "1h"), legend="{{source_kind}}"),),
        ),
        Panel(
            key="shortfalls",
            kind="lines",
            width=18,
            height=7,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f"max by (shortfall) ({name(m.RETENTION_SHORTFALL)})", legend="{{shortfall}}"),),
        ),
        Panel(
            key="last_sweep",
            kind="stat",
            width=6,
            height=7,
            unit="h",
            decimals=1,
            steps=((None, "green"), (48, "orange"), (72, "red")),
            queries=(Query(expr=f"(time() - max({name(m.RETENTION_LAST)} > 0)) / 3600", now=True),),
        ),
        Panel(
            key="archive_waiting",
            kind="lines",
            width=12,
            height=8,
            unit="short",
            decimals=0,
            steps=WARN_AT_ONE,
            queries=(Query(expr=f'sum by (stage) ({name(m.RETRYING)}{{stage="archive"}})', legend="{{stage}}"),),
        ),
        Panel(
            key="behind",
            kind="areas",
            width=12,
            height=7,
            unit="short",
            decimals=0,
            steps=GOOD_AT_ZERO,
            queries=(Query(expr=_per(m.STATE_BEHIND, "stage", "1d"), legend="{{stage}}"),),
        ),
        Panel(
            key="versions",
            kind="areas",
            width=12,
            height=7,
            unit="short",
            decimals=0,
            steps=PLAIN,
            queries=(Query(expr=f"sum by (version) ({name(m.BUILD)})", legend="{{version}}"),),
        ),
    ),
)

BOARDS: Final[Mapping[str, Board]] = {board.key: board for board in (WALL, DEADLINES, COMPLETENESS, PIPELINE, STORE)}
