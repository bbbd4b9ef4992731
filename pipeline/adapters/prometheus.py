"""Metrics on a Prometheus registry: the catalogue registered, every bounded label combination at zero from the start.

A counter that appears with its first increment hides that increment from ``increase()``; so each series whose label values
are known exists at once, and those of a unit as soon as the unit is heard of. Units are the only labels that are not
known beforehand; beyond :data:`UNITS_MAX` of them the rest share the name ``other``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import product
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline import metrics as names
from pipeline.domain import errors
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.continuity import GapState, Judged, RecordingEnded
from pipeline.domain.deadline import Cause, DeadlineChanged
from pipeline.domain.identity import SourceKind
from pipeline.domain.outlook import AGE_BANDS, UnitDeadlines
from pipeline.domain.time import WallMs
from pipeline.domain.worm import WormReport
from pipeline.metrics import Metric
from pipeline.wire.topics import STATEFUL_STAGES

PREFIX: Final = "unbroken_"
UNITS_MAX: Final = 100
OTHER: Final = "other"
STAGES: Final = ("probe", *STATEFUL_STAGES)
RESULTS: Final = ("done", "replayed", "quarantined")
OUTCOMES: Final = ("met", "missed", "late")
KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)


class Metrics:
    """What a worker reports. Its methods are those of the runner's meter, and :meth:`observe` hears every event emitted."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._series = {metric.name: _registered(metric, self.registry) for metric in names.CATALOGUE}
        self._units: set[tuple[str, SourceKind]] = set()
        for metric, values in _bounded():
            for labels in product(*values):
                self._touch(metric, *labels)
        self.set(names.BUILD, 1, version("unbroken"))

    # -- any metric ------------------------------------------------------------------------------------------------------

    def inc(self, metric: Metric, amount: float, *labels: str) -> None:
        """Add *amount* to a counter; *labels* in the catalogue's order. Raises ``ValueError`` for another kind or number."""
        series = self._child(metric, labels)
        if not isinstance(series, Counter):
            raise ValueError(f"expected a counter, found a {metric.kind}: {metric.name}")
        series.inc(amount)

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a gauge to *value*; raises as :meth:`inc`."""
        series = self._child(metric, labels)
        if not isinstance(series, Gauge):
            raise ValueError(f"expected a gauge, found a {metric.kind}: {metric.name}")
        series.set(value)

    def time(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Put one observation into a histogram; raises as :meth:`inc`."""
        series = self._child(metric, labels)
        if not isinstance(series, Histogram):
            raise ValueError(f"expected a histogram, found a {metric.kind}: {metric.name}")
        series.observe(seconds)

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Counter | Gauge | Histogram:
        series = self._series[metric.name]
        return series.labels(*labels) if labels or metric.labels else series

    def _touch(self, metric: Metric, *labels: str) -> None:
        self._child(metric, labels)

    # -- the runner's meter ----------------------------------------------------------------------------------------------

    def events(self, stage: str, result: str, count: int) -> None:
        self.inc(names.EVENTS, count, stage, result)

    def retried(self, stage: str) -> None:
        self.inc(names.RETRIES, 1, stage)

    def retrying(self, stage: str, partitions: int) -> None:
        self.set(names.RETRYING, partitions, stage)

    def quarantined(self, stage: str, reason: str) -> None:
        self.inc(names.QUARANTINED, 1, stage, reason)

    def state_behind(self, stage: str) -> None:
        self.inc(names.STATE_BEHIND, 1, stage)

    def carried(self, stage: str, seconds: float) -> None:
        self.time(names.STAGE_DURATION, seconds, stage)

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop woke up."""
        self.set(names.LOOP_LAG, seconds)

    # -- what happened ---------------------------------------------------------------------------------------------------

    def observe(self, event: object) -> None:
        """Count an event a stage emitted. Gaps are counted at a recording's first end; later revisions are no new gaps."""
        if isinstance(event, Judged) and event.ended is not None and event.ended.revision == 1:
            self._ended(event.ended)
        elif isinstance(event, RecordingArchived):
            self.inc(names.ARCHIVED, 1, event.source_kind)
        elif isinstance(event, DeadlineChanged):
            self._deadline(event)

    def worm(self, report: WormReport) -> None:
        """The store's locks were tried."""
        self.set(names.WORM_SUCCESS, int(not report.wrong))
        self.set(names.WORM_LAST, report.tried_at / 1000)

    def _ended(self, ended: RecordingEnded) -> None:
        self.inc(names.COVERED_SECONDS, ended.covered_ms / 1000, ended.source_kind)
        for gap in ended.gaps:
            self.inc(names.GAPS, 1, ended.source_kind, gap.state)
            self.inc(names.GAP_SECONDS, gap.size_ms / 1000, ended.source_kind, gap.state)

    def _deadline(self, change: DeadlineChanged) -> None:
        unit = self._unit(change.unit, change.source_kind)
        if change.state in OUTCOMES:
            self.inc(names.DEADLINE_OUTCOMES, 1, unit, change.source_kind, change.state)
        if change.cause is not None:
            self.inc(names.DEADLINE_BREACHES, 1, unit, change.cause)

    # -- what is ahead ---------------------------------------------------------------------------------------------------

    def deadlines(self, units: Iterable[UnitDeadlines], now: WallMs, ready: bool) -> None:
        """What the timer saw at *now*. While not *ready* (states are still being loaded) the numbers are left alone, so
        that recovery never shows as "nothing is open"."""
        self.set(names.TRACKER_READY, int(ready))
        self.set(names.LAST_SWEEP, now / 1000)
        if not ready:
            return
        ahead: dict[tuple[str, SourceKind], list[UnitDeadlines]] = {label: [] for label in self._units}
        for item in units:
            label = self._unit(item.unit, item.source_kind), item.source_kind
            ahead.setdefault(label, []).append(item)
        for (unit, kind), items in ahead.items():
            self._ahead(unit, kind, items)

    def _ahead(self, unit: str, kind: SourceKind, items: list[UnitDeadlines]) -> None:
        """The numbers of one label pair: of one unit and kind, or of all that share the name ``other``."""
        for number, band in enumerate(AGE_BANDS):
            self.set(names.UNARCHIVED, sum(item.unarchived[number] for item in items), unit, kind, band)
        self.set(names.EXPECTED, sum(item.expected for item in items), unit, kind)
        self.set(names.UNARCHIVED_OLDEST_END, _earliest(item.oldest_end for item in items), unit, kind)
        self.set(names.DEADLINE_NEXT, _earliest(item.next_at for item in items), unit, kind)

    def _unit(self, unit: str, kind: SourceKind) -> str:
        """The label value of *unit*; when it is heard of for the first time with this *kind*, all its series appear."""
        if (unit, kind) in self._units:
            return unit
        if len({known for known, _ in self._units} | {unit}) > UNITS_MAX:
            unit = OTHER
        self._units.add((unit, kind))
        for outcome in OUTCOMES:
            self._touch(names.DEADLINE_OUTCOMES, unit, kind, outcome)
        for cause in get_args(Cause):
            self._touch(names.DEADLINE_BREACHES, unit, cause)
        return unit


def _earliest(instants: Iterable[WallMs | None]) -> float:
    """Unix time in seconds; infinity when there is none."""
    return min((at / 1000 for at in instants if at is not None), default=math.inf)


def _registered(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = PREFIX + metric.name
    if metric.kind == "counter":
        return Counter(name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(name, metric.help, metric.labels, registry=registry)
    return Histogram(name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)


def _bounded() -> Iterator[tuple[Metric, list[Iterable[str]]]]:
    """Every metric whose label values are all known, with those values."""
    values: dict[str, Iterable[str]] = {
        "stage": STAGES,
        "result": RESULTS,
        "reason": tuple(_reasons(errors.UnbrokenError)),
        "source_kind": KINDS,
        "state": get_args(GapState),
    }
    for metric in names.CATALOGUE:
        if metric.labels and all(label in values for label in metric.labels):
            yield metric, [values[label] for label in metric.labels]


def _reasons(kind: type[errors.UnbrokenError]) -> Iterator[str]:
    """The words by which the runner names errors that repeating cannot help: class names in snake case."""
    if not kind.retryable:
        yield "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).removeprefix(
            "_"
        )
    for narrower in kind.__subclasses__():
        yield from _reasons(narrower)
