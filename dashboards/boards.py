"""The five boards as data: which panels, what each asks of Prometheus, in which unit, and when it is bad.

Queries are built from ``pipeline.metrics`` and the recorded rules, so a renamed metric breaks here and not on a wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dashboards.panels import Board, Steps, areas, heat, levels, lines, sign, stat, states
from pipeline import metrics as m
from pipeline.metrics import Metric


def name(metric: Metric) -> str:
    """A metric's name on the wire."""
    return f"unbroken_{metric.name}"


def _per(metric: Metric, labels: str, window: str, matchers: str = "") -> str:
    return f"sum by ({labels}) (increase({name(metric)}{matchers}[{window}]))"


def _there(label: str, expr: str) -> Mapping[str, str]:
    """By *label*, only what is above zero, so that a legend names what happened and not all that could; when nothing did,
    one zero that is named so. No answer stays no answer."""
    nothing = f'label_replace(sum({expr}) == 0, "{label}", "none", "", "")'
    return {f"{{{{{label}}}}}": f"{expr} > 0 or {nothing}"}


PLAIN: Final[Steps] = ((None, "blue"),)
GOOD_AT_ZERO: Final[Steps] = ((None, "green"), (1, "red"))
WARN_AT_ONE: Final[Steps] = ((None, "green"), (1, "orange"))
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
TIME_LEFT: Final[Steps] = ((None, "red"), (HOUR_S, "orange"), (4 * HOUR_S, "green"))
NONE_S: Final = 7 * DAY_S
"""A deadline this far away is none: the shown value is cut here."""

NEXT: Final = "unbroken:deadline_next_timestamp_seconds:min"
GAPS: Final = "unbroken:gaps_standing:sum"
LAG: Final = "unbroken:lag_events:sum"
FREE: Final = "unbroken:store_free_bytes"
UNIT: Final = '{unit=~"$unit"}'

_NONE: Final = ((0, 0.5, "none", "green"),)
_LOCKS: Final = ((0, 0.5, "broken", "red"), (0.5, 1.5, "holds", "green"))
_EMPTY: Final = ((0, 1e-3, "nothing", "green"),)
_NOT_YET: Final = ((-2, -0.5, "not_yet", "text"),)
_ROOM: Final = ((-2, -0.5, "not_known", "text"),)

UNIT_STEPS: Final[Steps] = ((None, "green"), (1, "orange"), (2, "red"), (3, "dark-red"))
UNIT_WORDS: Final = (
    (0, 0.5, "in_time", "green"),
    (0.5, 1.5, "under_4h", "orange"),
    (1.5, 2.5, "under_1h", "red"),
    (2.5, 9, "missed", "dark-red"),
)

WALL: Final = Board(
    key="wall",
    back="24h",
    refresh="1m",
    panels=(
        sign(
            "next_deadline",
            (8, 6),
            "dthms",
            TIME_LEFT,
            f"clamp_max(min({NEXT}) - time(), {NONE_S})",
            words=((NONE_S, 1e12, "none_open", "green"),),
        ),
        sign(
            "at_risk",
            (8, 6),
            "short",
            WARN_AT_ONE,
            f'sum({name(m.UNARCHIVED)}{{age_band="20_24h"}})',
            decimals=0,
            words=_NONE,
        ),
        sign(
            "missed_today",
            (8, 6),
            "short",
            GOOD_AT_ZERO,
            f"round(sum(increase({name(m.DEADLINE_BREACHES)}[24h])))",
            decimals=0,
            words=_NONE,
        ),
        sign(
            "unexplained",
            (8, 6),
            "short",
            WARN_AT_ONE,
            f'sum({GAPS}{{gap_class="unexplained"}})',
            decimals=0,
            words=_NONE,
        ),
        sign("silent", (8, 6), "short", WARN_AT_ONE, f"sum({name(m.CAMERAS_SILENT)})", decimals=0, words=_NONE),
        sign(
            "locks",
            (8, 6),
            "short",
            ((None, "red"), (1, "green")),
            f"min({name(m.WORM_SUCCESS)} and {name(m.WORM_LAST)} > 0) or vector(0)",
            decimals=0,
            words=_LOCKS,
        ),
        sign("units_now", (8, 11), "short", UNIT_STEPS, {"{{unit}}": "unbroken:unit_state"}, words=UNIT_WORDS),
        states("unit_states", (16, 11), "short", UNIT_STEPS, {"{{unit}}": "unbroken:unit_state"}, words=UNIT_WORDS),
    ),
)

DEADLINES: Final = Board(
    key="deadlines",
    back="24h",
    units=True,
    panels=(
        stat(
            "objective_a",
            (5, 5),
            "percentunit",
            ((None, "red"), (0.999, "green")),
            "1 - unbroken:deadline_missed:ratio3d",
            decimals=2,
        ),
        stat(
            "objective_b",
            (5, 5),
            "percentunit",
            ((None, "red"), (0.94, "orange"), (0.99, "green")),
            "1 - unbroken:archive_slow:ratio6h",
            decimals=2,
        ),
        stat(
            "oldest",
            (5, 5),
            "dthms",
            ((None, "green"), (20 * HOUR_S, "orange"), (DAY_S, "red")),
            f"clamp_min(time() - min({name(m.UNARCHIVED_OLDEST_END)}{UNIT}), 0)",
            words=_EMPTY,
        ),
        stat("not_arrived", (5, 5), "short", WARN_AT_ONE, f"sum({name(m.EXPECTED)}{UNIT})", decimals=0, words=_NONE),
        stat(
            "tracker",
            (4, 5),
            "dthms",
            ((None, "green"), (120, "orange"), (300, "red")),
            f"time() - max({name(m.LAST_SWEEP)} and {name(m.TRACKER_READY)} == 1)",
        ),
        areas(
            "by_age",
            (12, 8),
            "short",
            PLAIN,
            _there("age_band", f"sum by (age_band) ({name(m.UNARCHIVED)}{UNIT})"),
            decimals=0,
        ),
        levels(
            "next_by_unit",
            (12, 8),
            "dthms",
            TIME_LEFT,
            {"{{unit}}": f"clamp_max(min by (unit) ({NEXT}{UNIT}) - time(), {NONE_S})"},
            words=((NONE_S, 1e12, "none_open", "green"),),
        ),
        areas(
            "outcomes",
            (12, 8),
            "short",
            PLAIN,
            _there("outcome", _per(m.DEADLINE_OUTCOMES, "outcome", "1h", UNIT)),
            decimals=0,
        ),
        areas(
            "causes",
            (12, 8),
            "short",
            GOOD_AT_ZERO,
            _there("cause", _per(m.DEADLINE_BREACHES, "cause", "1d", UNIT)),
            decimals=0,
        ),
        lines(
            "latency",
            (12, 8),
            "s",
            ((None, "green"), (4 * 3600, "orange"), (24 * 3600, "red")),
            {
                legend: f"histogram_quantile({part}, sum by (le) (increase({name(m.ARCHIVE_LATENCY)}_bucket[1h])))"
                for part, legend in ((0.5, "half"), (0.95, "most"))
            },
        ),
        heat(
            "latency_map",
            (12, 8),
            "s",
            PLAIN,
            {"{{le}}": f"sum by (le) (increase({name(m.ARCHIVE_LATENCY)}_bucket[$__rate_interval]))"},
        ),
    ),
)

COMPLETENESS: Final = Board(
    key="completeness",
    back="7d",
    units=True,
    panels=(
        stat(
            "covered",
            (6, 7),
            "percentunit",
            ((None, "red"), (0.99, "orange"), (0.999, "green")),
            f"sum(increase({name(m.COVERED_SECONDS)}[$__range])) / "
            f"clamp_min(sum(increase({name(m.COVERED_SECONDS)}[$__range])) + sum(increase({name(m.GAP_SECONDS)}[$__range])), 1)",
            decimals=2,
        ),
        stat(
            "unexplained",
            (6, 7),
            "short",
            WARN_AT_ONE,
            f'sum({GAPS}{{gap_class="unexplained",unit=~"$unit"}})',
            decimals=0,
            words=_NONE,
        ),
        lines(
            "on_duty",
            (12, 7),
            "short",
            PLAIN,
            {"on_duty": f"sum({name(m.CAMERAS_ON_DUTY)}{UNIT})", "silent": f"sum({name(m.CAMERAS_SILENT)}{UNIT})"},
            decimals=0,
        ),
        areas(
            "silent_minutes",
            (12, 7),
            "m",
            WARN_AT_ONE,
            _there("unit", f"sum by (unit) ({name(m.SILENT_SECONDS)}{UNIT}) / 60"),
            decimals=0,
        ),
        areas(
            "clocks",
            (12, 7),
            "short",
            WARN_AT_ONE,
            _there("finding", _per(m.FINDINGS, "finding", "1h", '{finding=~"clock_step|clock_drift"}')),
            decimals=0,
        ),
        areas(
            "standing", (12, 8), "short", PLAIN, _there("gap_class", f"sum by (gap_class) ({GAPS}{UNIT})"), decimals=0
        ),
        levels(
            "unexplained_by_unit",
            (12, 8),
            "short",
            WARN_AT_ONE,
            {"{{unit}}": f'sum by (unit) ({GAPS}{{gap_class="unexplained",unit=~"$unit"}})'},
            decimals=0,
        ),
        areas("gap_minutes", (12, 8), "m", PLAIN, _there("state", f"{_per(m.GAP_SECONDS, 'state', '1h')} / 60")),
        levels(
            "findings",
            (12, 8),
            "short",
            PLAIN,
            _there("finding", f"topk(10, round({_per(m.FINDINGS, 'finding', '1h')}))"),
            decimals=0,
        ),
        areas(
            "recorded_hours",
            (12, 7),
            "h",
            PLAIN,
            _there("source_kind", f"{_per(m.COVERED_SECONDS, 'source_kind', '1d')} / 3600"),
        ),
        areas(
            "new_gaps", (12, 7), "short", PLAIN, _there("source_kind", _per(m.GAPS, "source_kind", "1d")), decimals=0
        ),
    ),
)

PIPELINE: Final = Board(
    key="pipeline",
    back="3h",
    panels=(
        stat("workers", (6, 5), "short", ((None, "red"), (2, "green")), 'sum(up{job="unbroken-worker"})', decimals=0),
        stat(
            "broker",
            (6, 5),
            "dthms",
            ((None, "green"), (60, "orange"), (120, "red")),
            f"time() - max({name(m.BROKER_LAST)})",
        ),
        stat(
            "quarantined",
            (6, 5),
            "short",
            WARN_AT_ONE,
            f"sum(max by (stage) ({name(m.QUARANTINE_WAITING)}))",
            decimals=0,
            words=_NONE,
        ),
        stat(
            "quarantine_age",
            (6, 5),
            "dthms",
            ((None, "green"), (4 * HOUR_S, "orange"), (20 * HOUR_S, "red")),
            f"clamp_min(time() - min({name(m.QUARANTINE_OLDEST)}), 0)",
            words=_EMPTY,
        ),
        levels(
            "canary",
            (12, 8),
            "dthms",
            ((None, "green"), (1800, "orange"), (2700, "red")),
            {"{{stage}}": f"clamp_max(time() - max by (stage) ({name(m.CANARY_LAST_SEEN)}), {DAY_S})"},
            words=((DAY_S, 1e12, "not_for_a_day", "red"),),
        ),
        levels(
            "set_aside",
            (12, 8),
            "short",
            WARN_AT_ONE,
            _there("reason", f"topk(10, round({_per(m.QUARANTINED, 'reason', '1d')}))"),
            decimals=0,
        ),
        lines("lag", (12, 8), "short", ((None, "green"), (1000, "orange")), {"{{stage}}": LAG}, decimals=0),
        lines(
            "done",
            (12, 8),
            "short",
            PLAIN,
            {"{{stage}}": f'sum by (stage) (rate({name(m.EVENTS)}{{result!="replayed"}}[$__rate_interval]))'},
        ),
        lines(
            "stage_time",
            (12, 8),
            "s",
            ((None, "green"), (60, "orange"), (600, "red")),
            {
                "{{stage}}": f"histogram_quantile(0.95, sum by (le, stage) (increase({name(m.STAGE_DURATION)}_bucket[1h])))"
            },
        ),
        areas(
            "retrying",
            (12, 8),
            "short",
            WARN_AT_ONE,
            _there("stage", f"sum by (stage) ({name(m.RETRYING)})"),
            decimals=0,
        ),
        areas("retries", (8, 7), "short", PLAIN, _there("stage", _per(m.RETRIES, "stage", "1h")), decimals=0),
        lines(
            "partitions", (8, 7), "short", PLAIN, {"{{stage}}": f"sum by (stage) ({name(m.PARTITIONS)})"}, decimals=0
        ),
        lines(
            "rebalances",
            (8, 7),
            "short",
            ((None, "green"), (12, "orange")),
            {"{{instance}}": _per(m.REBALANCES, "instance", "1h")},
            decimals=0,
        ),
        lines(
            "loop",
            (8, 7),
            "s",
            ((None, "green"), (2, "orange"), (10, "red")),
            {"{{instance}}": f"max by (instance) ({name(m.LOOP_LAG)})"},
        ),
        lines(
            "pool",
            (8, 7),
            "short",
            PLAIN,
            {"files": f"sum({name(m.POOL_JOBS)})", "places": f"sum({name(m.POOL_PROCESSES)})"},
            decimals=0,
        ),
        lines(
            "pool_deaths",
            (8, 7),
            "short",
            ((None, "green"), (5, "orange")),
            {"{{instance}}": _per(m.POOL_DEATHS, "instance", "1h")},
            decimals=0,
        ),
    ),
)

STORE: Final = Board(
    key="store",
    back="7d",
    refresh="1m",
    panels=(
        stat(
            "locks",
            (6, 6),
            "short",
            ((None, "red"), (1, "green")),
            f"min({name(m.WORM_SUCCESS)} and {name(m.WORM_LAST)} > 0) or vector(0)",
            decimals=0,
            words=_LOCKS,
        ),
        stat(
            "last_probe",
            (6, 6),
            "dthms",
            ((None, "green"), (7 * HOUR_S, "orange"), (12 * HOUR_S, "red")),
            f"time() - min({name(m.WORM_LAST)} > 0)",
        ),
        stat("room", (6, 6), "bytes", ((None, "text"), (0, "red"), (1, "green")), f"{FREE} or vector(-1)", words=_ROOM),
        stat(
            "room_ahead",
            (6, 6),
            "bytes",
            ((None, "text"), (0, "red"), (1, "green")),
            f"clamp_min(predict_linear({FREE}[6h], 48 * 3600), 0) or vector(-1)",
            words=_ROOM,
        ),
        areas(
            "archived",
            (12, 8),
            "short",
            PLAIN,
            _there("source_kind", _per(m.ARCHIVED, "source_kind", "1h")),
            decimals=0,
        ),
        lines(
            "archive_waiting",
            (12, 8),
            "short",
            WARN_AT_ONE,
            {"{{stage}}": f'sum by (stage) ({name(m.RETRYING)}{{stage="archive"}})'},
            decimals=0,
        ),
        areas(
            "shortfalls",
            (18, 7),
            "short",
            WARN_AT_ONE,
            _there("shortfall", f"max by (shortfall) ({name(m.RETENTION_SHORTFALL)})"),
            decimals=0,
        ),
        stat(
            "last_sweep",
            (6, 7),
            "dthms",
            ((None, "green"), (2 * DAY_S, "orange"), (3 * DAY_S, "red")),
            f"time() - max({name(m.RETENTION_LAST)} > 0) or vector(-1)",
            words=_NOT_YET,
        ),
        stat(
            "read_back",
            (6, 7),
            "percentunit",
            ((None, "blue"),),
            f"max({name(m.VERIFY_COVERAGE)})",
            decimals=1,
        ),
        areas(
            "behind", (9, 7), "short", GOOD_AT_ZERO, _there("stage", _per(m.STATE_BEHIND, "stage", "1d")), decimals=0
        ),
        areas("versions", (9, 7), "short", PLAIN, {"{{version}}": f"sum by (version) ({name(m.BUILD)})"}, decimals=0),
    ),
)


BOARDS: Final[Mapping[str, Board]] = {board.key: board for board in (WALL, DEADLINES, COMPLETENESS, PIPELINE, STORE)}
