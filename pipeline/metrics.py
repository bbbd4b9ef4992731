"""Metrics catalogue: the only place a metric is named. Data; ``adapters.prometheus`` registers it, docs and rules are
checked against it. No label ever names a recording, a source, a case or a person. A kind of source stands only beside what is
read by kind: each label of a unit's metrics counts as often as there are units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """``name`` without prefix ``unbroken_``; counters end in ``_total`` on the wire. ``labels`` have bounded values."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


EVENTS: Final = Metric(
    name="events_total",
    kind="counter",
    labels=("stage", "result"),
    help="Inputs by how they ended: done, replayed, quarantined.",
)
RETRIES: Final = Metric(
    name="retries_total", kind="counter", labels=("stage",), help="Attempts that had to be repeated."
)
RETRYING: Final = Metric(
    name="retrying", kind="gauge", labels=("stage",), help="Partitions now waiting on an error that may pass."
)
QUARANTINED: Final = Metric(
    name="quarantined_total", kind="counter", labels=("reason",), help="Inputs set aside with bytes and reason."
)
STATE_BEHIND: Final = Metric(
    name="state_behind_total",
    kind="counter",
    labels=("stage",),
    help="Assignments that found state older than committed work.",
)
STAGE_DURATION: Final = Metric(
    name="stage_duration_seconds",
    kind="histogram",
    labels=("stage",),
    help="Time to carry one batch of inputs through a stage, waiting included.",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)
LAG: Final = Metric(
    name="lag_events",
    kind="gauge",
    labels=("stage",),
    help="Inputs on the broker that the stage has not finished, in this worker's partitions; by the broker's own ends.",
)
BROKER_LAST: Final = Metric(
    name="broker_last_answer_timestamp_seconds",
    kind="gauge",
    labels=(),
    help="Unix time at which the broker last said where its topics end; 0 before the first.",
)
PARTITIONS: Final = Metric(
    name="partitions", kind="gauge", labels=("stage",), help="Partitions this worker has, with their state in memory."
)
REBALANCES: Final = Metric(
    name="rebalances_total", kind="counter", labels=(), help="Times this worker was given its partitions anew."
)
POOL_PROCESSES: Final = Metric(
    name="pool_processes",
    kind="gauge",
    labels=(),
    help="Places in the pool that reads media files; 0 in a ledger worker.",
)
POOL_JOBS: Final = Metric(
    name="pool_jobs", kind="gauge", labels=(), help="Media files that are read now or wait for a place."
)
POOL_DEATHS: Final = Metric(
    name="pool_deaths_total", kind="counter", labels=(), help="Media files that cost the process that read them."
)
QUARANTINE_WAITING: Final = Metric(
    name="quarantine_waiting",
    kind="gauge",
    labels=("stage",),
    help="Inputs set aside on which nobody has decided; every ledger worker reports all of them.",
)
QUARANTINE_OLDEST: Final = Metric(
    name="quarantine_oldest_timestamp_seconds",
    kind="gauge",
    labels=("stage",),
    help="Unix time at which the oldest of those was set aside; +Inf when there is none.",
)
LOOP_LAG: Final = Metric(name="loop_lag_seconds", kind="gauge", labels=(), help="How late the event loop woke up last.")
GAPS: Final = Metric(
    name="gaps_total",
    kind="counter",
    labels=("source_kind", "state"),
    help="Gaps of ended recordings, by state at the end.",
)
GAP_SECONDS: Final = Metric(
    name="gap_seconds_total", kind="counter", labels=("source_kind", "state"), help="Length of those gaps."
)
COVERED_SECONDS: Final = Metric(
    name="covered_seconds_total", kind="counter", labels=("source_kind",), help="Recorded time of ended recordings."
)
GAPS_STANDING: Final = Metric(
    name="gaps_standing",
    kind="gauge",
    labels=("unit", "gap_class"),
    help="Gaps of ended recordings as they stand now, while the recording is remembered: by reason R1 to R9, planned, "
    "unexplained (article 8).",
)
FINDINGS: Final = Metric(
    name="findings_total",
    kind="counter",
    labels=("source_kind", "finding"),
    help="What was found in and around files as they came; docs/continuity.md explains each word.",
)
ARCHIVE_LATENCY: Final = Metric(
    name="archive_latency_seconds",
    kind="histogram",
    labels=("source_kind",),
    help="From the end of a recording to its first receipt (article 9).",
    buckets=(60, 300, 900, 3600, 14400, 28800, 43200, 57600, 72000, 79200, 82800, 86400, 129600, 172800, 604800),
)
PROMPTNESS: Final = Metric(
    name="archive_promptness_total",
    kind="counter",
    labels=("source_kind", "prompt"),
    help="First receipts within four hours after the recording had ended and was first received (yes), or later (no).",
)
ARCHIVED: Final = Metric(
    name="archived_recordings_total",
    kind="counter",
    labels=("source_kind",),
    help="Recording revisions archived and locked.",
)
DEADLINE_OUTCOMES: Final = Metric(
    name="deadline_outcomes_total",
    kind="counter",
    labels=("unit", "outcome"),
    help="Deadlines by outcome: met, missed, late (article 9).",
)
DEADLINE_BREACHES: Final = Metric(
    name="deadline_breaches_total",
    kind="counter",
    labels=("unit", "cause"),
    help="Missed deadlines by cause (article 9).",
)
DEADLINE_NEXT: Final = Metric(
    name="deadline_next_timestamp_seconds",
    kind="gauge",
    labels=("unit", "source_kind"),
    help="Unix time of the next open deadline; +Inf when none is open.",
)
UNARCHIVED: Final = Metric(
    name="recordings_unarchived",
    kind="gauge",
    labels=("unit", "source_kind", "age_band"),
    help="Recordings that exist or are expected and are not archived, by time since their end (of a 24 h deadline).",
)
UNARCHIVED_OLDEST_END: Final = Metric(
    name="unarchived_oldest_end_timestamp_seconds",
    kind="gauge",
    labels=("unit", "source_kind"),
    help="Unix time at which the oldest recording that is not archived ended; +Inf when there is none.",
)
EXPECTED: Final = Metric(
    name="recordings_expected",
    kind="gauge",
    labels=("unit",),
    help="Recordings that are expected and of which nothing has arrived; they are among those not archived.",
)
CAMERAS_ON_DUTY: Final = Metric(
    name="cameras_on_duty",
    kind="gauge",
    labels=("unit",),
    help="Cameras that have to record now by their schedules, planned pauses left out.",
)
CAMERAS_SILENT: Final = Metric(
    name="cameras_silent",
    kind="gauge",
    labels=("unit",),
    help="Cameras that had to record and are not known to have, for longer than their schedules allow (article 8).",
)
SILENT_SECONDS: Final = Metric(
    name="cameras_silent_seconds",
    kind="gauge",
    labels=("unit",),
    help="How long the cameras that are silent now have been, time on duty alone, added up; grows while they are.",
)
CANARY_LAST_SEEN: Final = Metric(
    name="canary_last_seen_timestamp_seconds",
    kind="gauge",
    labels=("stage",),
    help="Unix time at which the last canary that came past this stage had set out; 0 before the first.",
)
TRACKER_READY: Final = Metric(
    name="deadline_tracker_ready",
    kind="gauge",
    labels=(),
    help="1 when every assigned partition's deadlines are loaded and everything said since was read.",
)
LAST_SWEEP: Final = Metric(
    name="deadline_last_sweep_timestamp_seconds",
    kind="gauge",
    labels=(),
    help="Unix time as of which the deadlines were last judged: everything said until then had been read.",
)
WORM_SUCCESS: Final = Metric(
    name="worm_probe_success",
    kind="gauge",
    labels=(),
    help="1 when the store kept its locks at the last try; the ledger worker tries.",
)
WORM_LAST: Final = Metric(
    name="worm_probe_last_timestamp_seconds",
    kind="gauge",
    labels=(),
    help="Unix time of the last whole try of the store's locks; 0 before the first.",
)
RETENTION_SHORTFALL: Final = Metric(
    name="retention_shortfall_objects",
    kind="gauge",
    labels=("shortfall",),
    help="Objects kept for shorter than register and policy demand, not held, or gone, at the last sweep (article 12).",
)
RETENTION_LAST: Final = Metric(
    name="retention_last_sweep_timestamp_seconds",
    kind="gauge",
    labels=(),
    help="Unix time at which the last whole sweep of locks and holds began; 0 before the first.",
)
VERIFY_COVERAGE: Final = Metric(
    name="verify_coverage_ratio",
    kind="gauge",
    labels=(),
    help="Share of the archive's parts verified within policy's verify_within_s; the ledger worker verifies.",
)
VERIFY_OLDEST: Final = Metric(
    name="verify_oldest_timestamp_seconds",
    kind="gauge",
    labels=(),
    help="Unix time at which the part longest unverified was last verified; 0 before the first look.",
)
VERIFY_FAILURES: Final = Metric(
    name="verify_failures",
    kind="gauge",
    labels=(),
    help="Items that failed when their part of the archive was last verified.",
)
BUILD: Final = Metric(name="build_info", kind="gauge", labels=("version",), help="Always 1; the version that runs.")

CATALOGUE: Final = (
    EVENTS,
    RETRIES,
    RETRYING,
    QUARANTINED,
    STATE_BEHIND,
    STAGE_DURATION,
    LAG,
    BROKER_LAST,
    PARTITIONS,
    REBALANCES,
    POOL_PROCESSES,
    POOL_JOBS,
    POOL_DEATHS,
    QUARANTINE_WAITING,
    QUARANTINE_OLDEST,
    LOOP_LAG,
    GAPS,
    GAP_SECONDS,
    COVERED_SECONDS,
    GAPS_STANDING,
    FINDINGS,
    ARCHIVE_LATENCY,
    PROMPTNESS,
    ARCHIVED,
    DEADLINE_OUTCOMES,
    DEADLINE_BREACHES,
    DEADLINE_NEXT,
    UNARCHIVED,
    UNARCHIVED_OLDEST_END,
    EXPECTED,
    CAMERAS_ON_DUTY,
    CAMERAS_SILENT,
    SILENT_SECONDS,
    CANARY_LAST_SEEN,
    TRACKER_READY,
    LAST_SWEEP,
    WORM_SUCCESS,
    WORM_LAST,
    RETENTION_SHORTFALL,
    RETENTION_LAST,
    VERIFY_COVERAGE,
    VERIFY_OLDEST,
    VERIFY_FAILURES,
    BUILD,
)

FOREIGN: Final = (
    "up",
    "prometheus_notifications_dropped_total",
    "alertmanager_notifications_failed_total",
    "ceph_cluster_total_bytes",
    "ceph_cluster_total_used_bytes",
    "minio_cluster_capacity_usable_free_bytes",
    "node_filesystem_avail_bytes",
)
"""Metrics of others that our rules and dashboards read: the scrape's own, Prometheus', Alertmanager's, the store's."""
