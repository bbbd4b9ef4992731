"""Trials of the alerting rules: what a Prometheus would see, and which alerts it must then have firing. Data only.

Every trial starts from :data:`HEALTHY` and changes some of its series; whatever it does not name must stay quiet, so each
trial of one alert is a quiet trial of all others. Values are written as promtool takes them, one a
minute from minute 0; an ``x`` without a count goes on to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Labels = Mapping[str, str]

HALL: Final = {"unit": "hall", "source_kind": "cctv"}
_NEXT: Final = 'unbroken_deadline_next_timestamp_seconds{unit="hall",source_kind="cctv"}'
_MISSED: Final = 'unbroken_deadline_breaches_total{unit="hall",cause="store"}'
_OUTCOME: Final = 'unbroken_deadline_outcomes_total{unit="hall",outcome="%s"}'
_PROMPT: Final = 'unbroken_archive_promptness_total{source_kind="cctv",prompt="%s"}'
_FINDING: Final = 'unbroken_findings_total{source_kind="cctv",finding="%s"}'
_SILENT: Final = 'unbroken_cameras_silent{unit="hall"}'
_GAP: Final = 'unbroken_gaps_standing{unit="hall",gap_class="%s"}'
_WORM: Final = 'unbroken_worm_probe_success{instance="%s"}'
_WORM_LAST: Final = 'unbroken_worm_probe_last_timestamp_seconds{instance="%s"}'
_SHORT: Final = 'unbroken_retention_shortfall_objects{instance="ledger",shortfall="%s"}'
_FAILED: Final = 'unbroken_verify_failures{instance="%s"}'
_UNCHECKED: Final = 'unbroken_verify_oldest_timestamp_seconds{instance="%s"}'
_SWEPT: Final = 'unbroken_retention_last_sweep_timestamp_seconds{instance="%s"}'
_FREE: Final = "minio_cluster_capacity_usable_free_bytes"
_CANARY: Final = 'unbroken_canary_last_seen_timestamp_seconds{stage="deadline",instance="ledger"}'
_CANARY_READ: Final = 'unbroken_canary_last_seen_timestamp_seconds{stage="probe",instance="media"}'
_LAG: Final = 'unbroken_lag_events{stage="chain",instance="ledger"}'
_DONE: Final = 'unbroken_events_total{stage="chain",result="done"}'

HEALTHY: Final[Mapping[str, str]] = {
    'up{job="unbroken-worker",instance="media"}': "1x",
    'up{job="unbroken-worker",instance="ledger"}': "1x",
    _NEXT: "90000x",
    _MISSED: "0x",
    _OUTCOME % "missed": "0x",
    _OUTCOME % "met": "0+1x",
    'unbroken_deadline_tracker_ready{instance="ledger"}': "1x",
    'unbroken_deadline_tracker_ready{instance="media"}': "0x",
    'unbroken_deadline_last_sweep_timestamp_seconds{instance="ledger"}': "0+60x",
    'unbroken_deadline_last_sweep_timestamp_seconds{instance="media"}': "0x",
    _PROMPT % "no": "0x",
    _PROMPT % "yes": "0+1x",
    _GAP % "unexplained": "0x",
    _GAP % "R1": "3x",
    _SILENT: "0x",
    _FINDING % "clock_step": "0x",
    _FINDING % "missing_sequence": "0x",
    _FINDING % "duplicate": "0+1x",
    'unbroken_quarantine_waiting{stage="probe"}': "0x",
    _WORM % "ledger": "1x",
    _WORM % "media": "0x",
    _WORM_LAST % "ledger": "0+60x",
    _WORM_LAST % "media": "0x",
    _SHORT % "hold": "0x",
    _SHORT % "retention": "0x",
    _SWEPT % "ledger": "0+60x",
    _SWEPT % "media": "0x",
    _FAILED % "ledger": "0x",
    _FAILED % "media": "0x",
    _UNCHECKED % "ledger": "0+60x",
    _UNCHECKED % "media": "0x",
    _FREE: "1000000000000-1000000x",
    'unbroken_retrying{stage="archive"}': "0x",
    _CANARY: "0+60x",
    _CANARY_READ: "0+60x",
    _LAG: "5x",
    _DONE: "0+60x",
    'unbroken_broker_last_answer_timestamp_seconds{instance="ledger"}': "0+60x",
    'unbroken_rebalances_total{instance="ledger"}': "1x",
    'unbroken_loop_lag_seconds{instance="ledger"}': "0x",
    'unbroken_pool_deaths_total{instance="media"}': "0x",
    'unbroken_state_behind_total{stage="chain"}': "0x",
    "alertmanager_notifications_failed_total": "0x",
    "prometheus_notifications_dropped_total": "0x",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """``about``: the alert this is a trial of. ``changes``: other values; ``None`` for a series that is not there.
    ``firing``: exactly the alerts that fire at minute ``at``, with their labels, beside the watchdog."""

    name: str
    about: str
    changes: Mapping[str, str | None]
    firing: tuple[tuple[str, Labels], ...] = ()
    at: int = 40


def _fires(
    about: str,
    name: str,
    labels: Labels,
    changes: Mapping[str, str | None],
    *,
    at: int = 40,
    also: tuple[str, ...] = (),
) -> Trial:
    others = tuple((other, CRITICAL) for other in also)
    return Trial(name=name, about=about, changes=changes, firing=((about, labels), *others), at=at)


def _quiet(about: str, name: str, changes: Mapping[str, str | None], *, at: int = 40) -> Trial:
    return Trial(name=name, about=about, changes=changes, at=at)


CRITICAL: Final = {"severity": "critical"}
WARNING: Final = {"severity": "warning"}
_STAGE: Final = {**WARNING, "stage": "chain"}
_DAY_S: Final = 24 * 3600

TRIALS: Final = (
    # -- deadlines
    _fires(
        "UnbrokenDeadlineMissed", "one more", {**CRITICAL, "unit": "hall", "cause": "store"}, {_MISSED: "0x30 1x20"}
    ),
    _fires(
        "UnbrokenDeadlineMissed",
        "a counter whose first sample is 1",
        {**CRITICAL, "unit": "hall", "cause": "store"},
        {_MISSED: "_x30 1x20"},
    ),
    _fires(
        "UnbrokenDeadlineMissed",
        "after a restart the counter is absent for long and then 1 again",
        {**CRITICAL, "unit": "hall", "cause": "store"},
        {_MISSED: "3x10 _x60 1x20"},
        at=75,
    ),
    _quiet("UnbrokenDeadlineMissed", "half an hour later", {_MISSED: "0x5 1x60"}),
    _fires(
        "UnbrokenDeadlineAtRisk", "under four hours", {**WARNING, **HALL}, {_NEXT: f"{40 * 60 + 4 * 3600 - 121}x60"}
    ),
    Trial(
        name="under one hour, also during a restart",
        about="UnbrokenDeadlineAtRisk",
        changes={_NEXT: f"{40 * 60 + 3600 - 121}x36 stale _x20"},
        firing=(("UnbrokenDeadlineAtRisk", {**WARNING, **HALL}), ("UnbrokenDeadlineAtRisk", {**CRITICAL, **HALL})),
    ),
    _quiet("UnbrokenDeadlineAtRisk", "four hours", {_NEXT: f"{40 * 60 + 4 * 3600}x60"}),
    _quiet("UnbrokenDeadlineAtRisk", "none is open", {_NEXT: "+Inf " * 45}),
    _fires(
        "UnbrokenDeadlineTrackerSilent",
        "not ready",
        CRITICAL,
        {'unbroken_deadline_tracker_ready{instance="ledger"}': "0x60"},
    ),
    _fires(
        "UnbrokenDeadlineTrackerSilent",
        "no ledger worker",
        CRITICAL,
        {
            'unbroken_deadline_tracker_ready{instance="ledger"}': None,
            'unbroken_deadline_last_sweep_timestamp_seconds{instance="ledger"}': None,
        },
    ),
    _fires(
        "UnbrokenDeadlineTrackerSilent",
        "it does not look any more",
        CRITICAL,
        {'unbroken_deadline_last_sweep_timestamp_seconds{instance="ledger"}': "0+60x25 1500x60"},
    ),
    _quiet(
        "UnbrokenDeadlineTrackerSilent",
        "a restart",
        {'unbroken_deadline_tracker_ready{instance="ledger"}': "1x30 0x4 1x30"},
    ),
    _fires("UnbrokenDeadlineObjective", "one in fifty", WARNING, {_OUTCOME % "missed": "0x10 1x60"}),
    _quiet("UnbrokenDeadlineObjective", "one of 1300", {_OUTCOME % "missed": "0x10 1x60", _OUTCOME % "met": "0+33x60"}),
    Trial(
        name="one in three",
        about="UnbrokenArchiveSlow",
        changes={_PROMPT % "no": "0+0.5x60"},
        firing=(("UnbrokenArchiveSlow", CRITICAL), ("UnbrokenArchiveSlow", WARNING)),
    ),
    _fires("UnbrokenArchiveSlow", "one in eleven", WARNING, {_PROMPT % "no": "0+0.1x60"}),
    _quiet("UnbrokenArchiveSlow", "one of few", {_PROMPT % "no": "0x37 1x20", _PROMPT % "yes": "0x60"}),
    _quiet("UnbrokenArchiveSlow", "long over", {_PROMPT % "no": "0+1x5 5x400", _PROMPT % "yes": "0+1x400"}, at=300),
    # -- evidence
    _fires(
        "UnbrokenUnexplainedGap",
        "one",
        {**WARNING, "unit": "hall", "gap_class": "unexplained"},
        {_GAP % "unexplained": "0x30 1x20"},
    ),
    _quiet("UnbrokenUnexplainedGap", "explained", {_GAP % "unexplained": "1x20 0x30", _GAP % "R1": "3x20 4x30"}),
    _fires(
        "UnbrokenCameraSilent",
        "one, also during a restart",
        {**WARNING, "unit": "hall"},
        {_SILENT: "0x30 1x6 stale _x9"},
    ),
    _quiet("UnbrokenCameraSilent", "heard again", {_SILENT: "1x38 0x9"}),
    _fires("UnbrokenDeviceClock", "a step", {**WARNING, "source_kind": "cctv"}, {_FINDING % "clock_step": "0x10 1x60"}),
    _quiet("UnbrokenDeviceClock", "an hour later", {_FINDING % "clock_step": "0x10 1x90"}, at=80),
    _fires(
        "UnbrokenIntakeMissing",
        "a number",
        {**WARNING, "source_kind": "cctv"},
        {_FINDING % "missing_sequence": "0x10 1x60"},
    ),
    _quiet("UnbrokenIntakeMissing", "an hour later", {_FINDING % "missing_sequence": "0x10 1x90"}, at=80),
    _fires(
        "UnbrokenQuarantined",
        "one waits",
        {**WARNING, "stage": "probe"},
        {'unbroken_quarantine_waiting{stage="probe"}': "0x30 1x20"},
    ),
    _quiet("UnbrokenQuarantined", "it was decided on", {'unbroken_quarantine_waiting{stage="probe"}': "1x30 0x20"}),
    # -- store
    _fires(
        "UnbrokenStoreMistrusted", "nobody tried", CRITICAL, {_WORM % "ledger": "0x60", _WORM_LAST % "ledger": "0x60"}
    ),
    _fires(
        "UnbrokenStoreMistrusted", "no ledger worker", CRITICAL, {_WORM % "ledger": None, _WORM_LAST % "ledger": None}
    ),
    _fires(
        "UnbrokenStoreMistrusted",
        "one of two found it wrong",
        CRITICAL,
        {_WORM % "second": "0x60", _WORM_LAST % "second": "0+60x60"},
    ),
    _fires(
        "UnbrokenStoreMistrusted", "passed and not tried since", CRITICAL, {_WORM_LAST % "ledger": "1x"}, at=14 * 60
    ),
    _quiet("UnbrokenStoreMistrusted", "the last try is twelve hours old", {_WORM_LAST % "ledger": "1x"}, at=12 * 60),
    _fires(
        "UnbrokenRetentionShortfall",
        "a hold was taken off",
        CRITICAL | {"shortfall": "hold"},
        {_SHORT % "hold": "0x20 3x"},
    ),
    _fires(
        "UnbrokenRetentionShortfall",
        "a lock ends too early",
        WARNING | {"shortfall": "retention"},
        {_SHORT % "retention": "1x"},
    ),
    _quiet("UnbrokenRetentionShortfall", "it was mended", {_SHORT % "hold": "3x20 0x"}),
    _fires(
        "UnbrokenRetentionUnswept",
        "four days ago",
        WARNING,
        {_SWEPT % "ledger": "60x", _NEXT: "9000000x"},
        at=4 * 24 * 60 + 10,
    ),
    _fires("UnbrokenRetentionUnswept", "never", WARNING, {_SWEPT % "ledger": "0x", _NEXT: "9000000x"}, at=24 * 60 + 10),
    _quiet("UnbrokenRetentionUnswept", "not for half a day after the start", {_SWEPT % "ledger": "0x"}, at=12 * 60),
    _fires("UnbrokenVerifyFailed", "a digest differs", CRITICAL, {_FAILED % "ledger": "0x20 1x"}),
    _quiet("UnbrokenVerifyFailed", "the part was verified again and is whole", {_FAILED % "ledger": "1x20 0x"}),
    # A trial's clock begins at zero, so that what was verified before it has a negative time.
    _fires(
        "UnbrokenVerifyBehind",
        "31 days ago",
        WARNING,
        {_UNCHECKED % "ledger": f"-{30 * 86400}x", _NEXT: "9000000x"},
        at=24 * 60 + 10,
    ),
    _quiet(
        "UnbrokenVerifyBehind", "29 days ago", {_UNCHECKED % "ledger": f"-{28 * 86400}x", _NEXT: "9000000x"}, at=24 * 60
    ),
    _fires("UnbrokenVerifyBehind", "never", WARNING, {_UNCHECKED % "ledger": "0x", _NEXT: "9000000x"}, at=24 * 60 + 10),
    _quiet("UnbrokenVerifyBehind", "not for half a day after the start", {_UNCHECKED % "ledger": "0x"}, at=12 * 60),
    _fires("UnbrokenStoreFills", "a tenth an hour", WARNING, {_FREE: "1000000-2000x200"}, at=120),
    _quiet("UnbrokenStoreFills", "in a week", {_FREE: "1000000-90x200"}, at=120),
    _fires("UnbrokenStoreSizeUnknown", "nobody says", {"severity": "info"}, {_FREE: None}, at=70),
    _quiet(
        "UnbrokenStoreSizeUnknown",
        "Ceph says",
        {_FREE: None, "ceph_cluster_total_bytes": "9x90", "ceph_cluster_total_used_bytes": "1x90"},
        at=70,
    ),
    # -- pipeline
    _fires(
        "UnbrokenPartitionWaiting",
        "one",
        {**WARNING, "stage": "archive"},
        {'unbroken_retrying{stage="archive"}': "0x30 1x20"},
    ),
    _quiet("UnbrokenPartitionWaiting", "four minutes", {'unbroken_retrying{stage="archive"}': "0x30 1x4 0x20"}, at=36),
    _fires("UnbrokenCanaryStalled", "it stops before the archive", CRITICAL, {_CANARY: "0+60x10 600x"}, at=62),
    _fires("UnbrokenCanaryStalled", "the first one gets no further than the probe", CRITICAL, {_CANARY: "0x"}, at=62),
    _fires(
        "UnbrokenCanaryStalled",
        "it stopped, and then both workers were started anew",
        CRITICAL,
        {_CANARY: "0+60x10 0x", _CANARY_READ: "0+60x10 0x"},
        at=62,
    ),
    _quiet("UnbrokenCanaryStalled", "two are missing", {_CANARY: "0+60x20 1200x"}, at=62),
    _quiet(
        "UnbrokenCanaryStalled",
        "both workers were started anew since the last one",
        {_CANARY: "0+60x50 0x", _CANARY_READ: "0+60x50 0x"},
        at=62,
    ),
    _fires("UnbrokenCanaryUnsent", "never", {"severity": "info"}, {_CANARY: "0x", _CANARY_READ: "0x"}, at=62),
    _quiet("UnbrokenCanaryUnsent", "an installation of this hour", {_CANARY: "0x", _CANARY_READ: "0x"}, at=50),
    _quiet("UnbrokenCanaryUnsent", "seen since", {_CANARY: "0x40 2400+60x", _CANARY_READ: "0x40 2400+60x"}, at=70),
    _fires("UnbrokenBacklogGrowing", "a day of work behind", _STAGE, {_LAG: "0+1000x90", _DONE: "0+10x90"}, at=80),
    _quiet("UnbrokenBacklogGrowing", "much, and falling", {_LAG: "100000-1000x90", _DONE: "0+10x90"}, at=80),
    _quiet("UnbrokenBacklogGrowing", "growing, and carried on in minutes", {_LAG: "0+10x90", _DONE: "0+60x90"}, at=80),
    _fires(
        "UnbrokenBrokerSilent",
        "for ten minutes",
        CRITICAL,
        {'unbroken_broker_last_answer_timestamp_seconds{instance="ledger"}': "0+60x30 1800x20"},
    ),
    _quiet(
        "UnbrokenBrokerSilent",
        "one worker hears it",
        {'unbroken_broker_last_answer_timestamp_seconds{instance="media"}': "0x60"},
    ),
    _fires("UnbrokenWorkerDown", "one of two", CRITICAL, {'up{job="unbroken-worker",instance="media"}': "0x60"}),
    _fires(
        "UnbrokenWorkerDown",
        "none is known",
        {**CRITICAL, "job": "unbroken-worker"},
        {'up{job="unbroken-worker",instance="media"}': None, 'up{job="unbroken-worker",instance="ledger"}': None},
    ),
    _quiet("UnbrokenWorkerDown", "a restart", {'up{job="unbroken-worker",instance="media"}': "1x30 0x1 1x20"}),
    _fires(
        "UnbrokenRebalancing",
        "every four minutes",
        {**WARNING, "instance": "ledger"},
        {'unbroken_rebalances_total{instance="ledger"}': "0+0.25x60"},
    ),
    _quiet("UnbrokenRebalancing", "a rolling restart", {'unbroken_rebalances_total{instance="ledger"}': "1x30 3x30"}),
    _fires(
        "UnbrokenEventLoopLate",
        "three seconds",
        {**WARNING, "instance": "ledger"},
        {'unbroken_loop_lag_seconds{instance="ledger"}': "3x60"},
    ),
    _quiet("UnbrokenEventLoopLate", "once", {'unbroken_loop_lag_seconds{instance="ledger"}': "0x36 30 0x20"}),
    _fires(
        "UnbrokenMediaPoolDying",
        "ten files",
        {**WARNING, "instance": "media"},
        {'unbroken_pool_deaths_total{instance="media"}': "0x30 10x20"},
    ),
    _quiet("UnbrokenMediaPoolDying", "four files", {'unbroken_pool_deaths_total{instance="media"}': "0x30 4x20"}),
    _fires("UnbrokenStateBehind", "once", _STAGE, {'unbroken_state_behind_total{stage="chain"}': "0x10 1x60"}),
    _fires(
        "UnbrokenStateBehind",
        "at the start of a worker",
        _STAGE,
        {'unbroken_state_behind_total{stage="chain"}': "_x10 1x60"},
    ),
    _quiet(
        "UnbrokenStateBehind", "two hours ago", {'unbroken_state_behind_total{stage="chain"}': "0x10 1x200"}, at=150
    ),
    # -- the watch itself
    _fires(
        "UnbrokenAlertsUndelivered",
        "Alertmanager could not",
        WARNING,
        {"alertmanager_notifications_failed_total": "0x28 1x20"},
    ),
    _fires(
        "UnbrokenAlertsUndelivered",
        "Prometheus could not",
        WARNING,
        {"prometheus_notifications_dropped_total": "0x28 1x20"},
    ),
    _quiet("UnbrokenAlertsUndelivered", "it could again", {"alertmanager_notifications_failed_total": "0x5 1x60"}),
)
