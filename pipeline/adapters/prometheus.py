"""Metrics on a Prometheus registry: the catalogue registered, every bounded label combination at zero from the start.

A counter that appears with its first increment hides that increment from ``increase()``; so each series whose label values
are known exists at once, and those of a unit as soon as the unit is heard of. Units are the only labels that are not
known beforehand; beyond :data:`UNITS_MAX` of them the rest share the name ``other``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from pipeline import metrics as names
from pipeline.domain import errors
from pipeline.domain.archive import RecordingArchived, is_prompt
from pipeline.domain.canary import CANARY, beat_at
from pipeline.domain.chain import LinkAppended
from pipeline.domain.continuity import GapState, Judged, RecordingEnded
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.findings import FindingKind
from pipeline.domain.identity import RecordingId, SourceKind
from pipeline.domain.keeping import ShortfallKind
from pipeline.domain.outlook import AGE_BANDS, UnitDeadlines
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.quarantine import Place
from pipeline.domain.rolling import Standing
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import Cause
from pipeline.domain.worm import WormReport
from pipeline.metrics import Metric
from pipeline.steps.sweep import Swept
from pipeline.wire.topics import STATEFUL_STAGES

PREFIX: Final = "unbroken_"
UNITS_MAX: Final = 100
OTHER: Final = "other"
STAGES: Final = ("probe", *STATEFUL_STAGES, "keeping", "breach")
CANARY_STAGES: Final = ("probe", "continuity", "chain", "stitch", "archive", "deadline")
"""What a canary passes on its way."""
RESULTS: Final = ("done", "replayed", "quarantined")
OUTCOMES: Final = ("met", "missed", "late")
PROMPT: Final = {True: "yes", False: "no"}
KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody reads


class Metrics:
    """What a worker reports. Its methods are those of the runner's meter, and :meth:`observe` hears every event emitted."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._series = {metric.name: _registered(metric, self.registry) for metric in names.CATALOGUE}
        self._names: set[str] = set()
        self._canaries: dict[str, WallMs] = {}
        self._units: set[tuple[str, SourceKind]] = set()
        self._standing: set[tuple[str, str]] = set()
        for metric, values in _bounded():
            for labels in product(*values):
                self._touch(metric, *labels)
        self.quarantine({})
        self.set(names.BUILD, 1, version("unbroken"))

    # -- any metric ------------------------------------------------------------------------------------------------------

    def inc(self, metric: Metric, amount: float, *labels: str, recording: RecordingId | None = None) -> None:
        """Add *amount* to a counter; *labels* in the catalogue's order; *recording* is its exemplar, the one place where
        identity belongs. Raises ``ValueError`` for another kind or number."""
        series = self._child(metric, labels)
        if not isinstance(series, Counter):
            raise ValueError(f"expected a counter, found a {metric.kind}: {metric.name}")
        series.inc(amount, _exemplar(recording))

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a gauge to *value*; raises as :meth:`inc`."""
        series = self._child(metric, labels)
        if not isinstance(series, Gauge):
            raise ValueError(f"expected a gauge, found a {metric.kind}: {metric.name}")
        series.set(value)

    def time(self, metric: Metric, seconds: float, *labels: str, recording: RecordingId | None = None) -> None:
        """Put one observation into a histogram; as :meth:`inc`."""
        series = self._child(metric, labels)
        if not isinstance(series, Histogram):
            raise ValueError(f"expected a histogram, found a {metric.kind}: {metric.name}")
        series.observe(seconds, _exemplar(recording))

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

    def quarantined(self, reason: str) -> None:
        self.inc(names.QUARANTINED, 1, reason)

    def state_behind(self, stage: str) -> None:
        self.inc(names.STATE_BEHIND, 1, stage)

    def carried(self, stage: str, seconds: float) -> None:
        self.time(names.STAGE_DURATION, seconds, stage)

    def taken(self, partitions: Mapping[str, int]) -> None:
        self.inc(names.REBALANCES, 1)
        for stage, count in partitions.items():
            self.set(names.PARTITIONS, count, stage)

    # -- the worker itself -----------------------------------------------------------------------------------------------

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop woke up."""
        self.set(names.LOOP_LAG, seconds)

    def broker_lag(self, inputs: Mapping[str, int]) -> None:
        """The broker said where its topics end: *inputs* of each stage are not finished."""
        self.set(names.BROKER_LAST, time.time())
        for stage, count in inputs.items():
            self.set(names.LAG, count, stage)

    def pool(self, processes: int, jobs: Callable[[], int]) -> None:
        """There is a media pool; *jobs* is asked at each scrape."""
        self.set(names.POOL_PROCESSES, processes)
        series = self._child(names.POOL_JOBS, ())
        assert isinstance(series, Gauge)
        series.set_function(jobs)

    def pool_death(self) -> None:
        """A media file cost the process that read it."""
        self.inc(names.POOL_DEATHS, 1)

    # -- what happened ---------------------------------------------------------------------------------------------------

    def observe(self, event: object) -> None:
        """Count an event a stage emitted. Gaps are counted at a recording's first end; later revisions are no new gaps. A
        canary is seen, and counts in nothing."""
        if _source_of(event) == CANARY:
            self._canary(event)
        elif isinstance(event, Judged):
            self._judged(event)
        elif isinstance(event, RecordingArchived):
            self._archived(event)
        elif isinstance(event, DeadlineChanged):
            self._deadline(event)

    def _canary(self, event: object) -> None:
        stage, recording = _passed(event)
        at = beat_at(recording)
        if stage is not None and at is not None and at > self._canaries.get(stage, 0):
            self._canaries[stage] = at
            self.set(names.CANARY_LAST_SEEN, at / 1000, stage)

    def rolling(self, standing: Standing) -> None:
        """A part of the archive was verified, or it was looked how far that is."""
        self.set(names.VERIFY_COVERAGE, standing.verified / standing.of)
        self.set(names.VERIFY_OLDEST, 0 if standing.oldest_at is None else standing.oldest_at / 1000)
        self.set(names.VERIFY_FAILURES, standing.failures)

    def worm(self, report: WormReport) -> None:
        """The store's locks were tried."""
        self.set(names.WORM_SUCCESS, int(not report.wrong))
        self.set(names.WORM_LAST, report.tried_at / 1000)

    def swept(self, swept: Swept) -> None:
        """Locks and holds were held against what is demanded."""
        for kind in get_args(ShortfallKind):
            self.set(names.RETENTION_SHORTFALL, sum(one.kind == kind for one in swept.found), kind)
        self.set(names.RETENTION_LAST, swept.at / 1000)

    def _judged(self, item: Judged) -> None:
        if item.segment is not None:
            kind = item.segment.probed.landed.source_kind
            for finding in item.segment.findings:
                self.inc(names.FINDINGS, 1, kind, finding.kind, recording=item.recording_id)
        if item.ended is not None and item.ended.revision == 1:
            self._ended(item.ended)

    def _ended(self, ended: RecordingEnded) -> None:
        recording = ended.recording_id
        self.inc(names.COVERED_SECONDS, ended.covered_ms / 1000, ended.source_kind)
        for gap in ended.gaps:
            self.inc(names.GAPS, 1, ended.source_kind, gap.state, recording=recording)
            self.inc(names.GAP_SECONDS, gap.size_ms / 1000, ended.source_kind, gap.state, recording=recording)

    def _archived(self, receipt: RecordingArchived) -> None:
        self.inc(names.ARCHIVED, 1, receipt.source_kind)
        if receipt.revision > 1:
            return
        recording = receipt.recording_id
        took_ms = receipt.archived_at - (receipt.ended_at or receipt.first_received_at)
        self.time(names.ARCHIVE_LATENCY, max(0, took_ms) / 1000, receipt.source_kind, recording=recording)
        self.inc(names.PROMPTNESS, 1, receipt.source_kind, PROMPT[is_prompt(receipt)], recording=recording)

    def _deadline(self, change: DeadlineChanged) -> None:
        unit = self._unit(change.unit, change.source_kind)
        if change.state in OUTCOMES:
            self.inc(names.DEADLINE_OUTCOMES, 1, unit, change.state, recording=change.recording_id)
        if change.cause is not None:
            self.inc(names.DEADLINE_BREACHES, 1, unit, change.cause, recording=change.recording_id)

    # -- what is ahead ---------------------------------------------------------------------------------------------------

    def deadlines(self, units: Iterable[UnitDeadlines], heard: WallMs | None) -> None:
        """What the timer saw, and up to when everything had been heard. While that is not known (states or what was said
        meanwhile are still being read) the numbers are left alone, so that recovery never shows as "nothing is open"."""
        self.set(names.TRACKER_READY, int(heard is not None))
        if heard is None:
            return
        self.set(names.LAST_SWEEP, heard / 1000)
        ahead: dict[tuple[str, SourceKind], list[UnitDeadlines]] = {label: [] for label in self._units}
        for item in units:
            label = self._unit(item.unit, item.source_kind), item.source_kind
            ahead.setdefault(label, []).append(item)
        whole: dict[str, list[UnitDeadlines]] = {}
        for (unit, kind), items in ahead.items():
            self._ahead(unit, kind, items)
            whole.setdefault(unit, []).extend(items)
        for unit, items in whole.items():
            self._of_unit(unit, items)

    def _ahead(self, unit: str, kind: SourceKind, items: list[UnitDeadlines]) -> None:
        """The numbers of one label pair: of one unit and kind, or of all that share the name ``other``."""
        for number, band in enumerate(AGE_BANDS):
            self.set(names.UNARCHIVED, sum(item.unarchived[number] for item in items), unit, kind, band)
        self.set(names.UNARCHIVED_OLDEST_END, _earliest(item.oldest_end for item in items), unit, kind)
        self.set(names.DEADLINE_NEXT, _earliest(item.next_at for item in items), unit, kind)

    def _of_unit(self, unit: str, items: list[UnitDeadlines]) -> None:
        """The numbers of a unit, whatever its sources are."""
        self.set(names.EXPECTED, sum(item.expected for item in items), unit)
        self.set(names.CAMERAS_ON_DUTY, sum(item.on_duty for item in items), unit)
        self.set(names.CAMERAS_SILENT, sum(item.silent for item in items), unit)
        self.set(names.SILENT_SECONDS, sum(item.silent_ms for item in items) / 1000, unit)

    def standing_gaps(self, found: Mapping[tuple[str, str], int]) -> None:
        """How many gaps stand, by unit and class; see ``continuity.standing_gaps``. What left our memory stands no more."""
        counts = dict.fromkeys(self._standing, 0)
        for (unit, gap_class), count in found.items():
            label = self._named(unit), gap_class
            counts[label] = counts.get(label, 0) + count
        self._standing.update(counts)
        for (unit, gap_class), count in counts.items():
            self.set(names.GAPS_STANDING, count, unit, gap_class)

    def quarantine(self, waiting: Mapping[Place, WallMs]) -> None:
        """What waits in quarantine, and since when."""
        for stage in STAGES:
            since = [at for place, at in waiting.items() if place.stage == stage]
            self.set(names.QUARANTINE_WAITING, len(since), stage)
            self.set(names.QUARANTINE_OLDEST, min(since) / 1000 if since else math.inf, stage)

    def _unit(self, unit: str, kind: SourceKind) -> str:
        """The label value of *unit*; when it is heard of for the first time with this *kind*, all its series appear."""
        unit = self._named(unit)
        if (unit, kind) not in self._units:
            self._units.add((unit, kind))
            for outcome in OUTCOMES:
                self._touch(names.DEADLINE_OUTCOMES, unit, outcome)
            for cause in get_args(Cause):
                self._touch(names.DEADLINE_BREACHES, unit, cause)
        return unit

    def _named(self, unit: str) -> str:
        """*unit*, or ``other`` when there are too many."""
        if unit not in self._names and len(self._names) >= UNITS_MAX:
            return OTHER
        self._names.add(unit)
        return unit


def _exemplar(recording: RecordingId | None) -> dict[str, str] | None:
    return None if recording is None else {"recording_id": recording}


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
        "finding": get_args(FindingKind),
        "prompt": tuple(PROMPT.values()),
        "shortfall": get_args(ShortfallKind),
    }
    for metric in names.CATALOGUE:
        known = {**values, "stage": CANARY_STAGES} if metric is names.CANARY_LAST_SEEN else values
        if metric.labels and all(label in known for label in metric.labels):
            yield metric, [known[label] for label in metric.labels]


def _source_of(event: object) -> object:
    """Whose event it is."""
    return event.landed.source_id if isinstance(event, SegmentProbed) else getattr(event, "source_id", None)


def _passed(event: object) -> tuple[str | None, str]:
    """Which stage a recording has come past if *event* tells of it, and the recording."""
    match event:
        case SegmentProbed(landed=landed):
            return "probe", landed.recording_id
        case Judged(ended=RecordingEnded(recording_id=recording)):
            return "continuity", recording
        case LinkAppended(kind="close", recording_id=recording):
            return "chain", recording
        case RecordingStitched(recording_id=recording):
            return "stitch", recording
        case RecordingArchived(recording_id=recording):
            return "archive", recording
        case DeadlineChanged(state="met", recording_id=recording):
            return "deadline", recording
    return None, ""


def _reasons(kind: type[errors.UnbrokenError]) -> Iterator[str]:
    """The words by which the runner names errors that repeating cannot help: class names in snake case."""
    if not kind.retryable:
        yield "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).removeprefix(
            "_"
        )
    for narrower in kind.__subclasses__():
        yield from _reasons(narrower)
