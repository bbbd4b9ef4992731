"""The catalogue on a registry: nothing is missing at the start, nothing is counted twice, and no label runs away."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, get_args

import pytest
from prometheus_client.openmetrics import exposition as openmetrics

from pipeline import metrics as names
from pipeline.adapters.prometheus import CANARY_STAGES, OTHER, UNITS_MAX, Metrics
from pipeline.agents.lane import reason_of
from pipeline.agents.stage import Meter
from pipeline.domain import errors
from pipeline.domain.canary import CANARY, CANARY_UNIT, beat_id
from pipeline.domain.continuity import Judged, JudgedSegment
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.findings import Finding, FindingKind
from pipeline.domain.identity import RecordingId, SourceKind
from pipeline.domain.outlook import AGE_BANDS, UnitDeadlines
from pipeline.domain.quarantine import Place
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import Cause, DeadlineState
from pipeline.domain.worm import Tried, WormReport
from tests.builders import RECORDING, SOURCE, T0, probed
from tests.builders_archive import archived, ended, gap


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"unbroken_{name}", labels)


def change(state: DeadlineState, unit: str = "service-hall", cause: Cause | None = None) -> DeadlineChanged:
    return DeadlineChanged(
        source_id=SOURCE,
        source_kind="cctv",
        unit=unit,
        recording_id=RECORDING,
        at=T0,
        state=state,
        changed_at=T0,
        cause=cause,
    )


def judged(**changes: Any) -> Judged:
    return Judged(source_id=SOURCE, recording_id=RECORDING, position=1, kind="ended", ended=ended(**changes))


def test_the_whole_catalogue_is_registered() -> None:
    found = {family.name for family in Metrics().registry.collect()}

    assert found == {f"unbroken_{metric.name}".removesuffix("_total") for metric in names.CATALOGUE}


def test_known_combinations_are_zero_before_anything_happens() -> None:
    metrics = Metrics()

    assert value(metrics, "events_total", stage="archive", result="done") == 0
    assert value(metrics, "quarantined_total", reason="malformed") == 0
    assert value(metrics, "gaps_total", source_kind="cctv", state="unexplained") == 0
    assert value(metrics, "stage_duration_seconds_count", stage="probe") == 0


@pytest.mark.parametrize("kind", [errors.Malformed, errors.UnsupportedVersion, errors.NotLocked, errors.ChainBroken])
def test_the_runner_s_words_for_errors_are_known_beforehand(kind: type[errors.UnbrokenError]) -> None:
    assert value(Metrics(), "quarantined_total", reason=reason_of(kind("x"))) == 0


def test_a_unit_s_outcomes_are_zero_as_soon_as_it_is_heard_of() -> None:
    metrics = Metrics()

    metrics.observe(change("tracked"))

    for outcome in ("met", "missed", "late"):
        assert value(metrics, "deadline_outcomes_total", unit="service-hall", outcome=outcome) == 0
    assert value(metrics, "deadline_breaches_total", unit="service-hall", cause="pipeline") == 0


def test_outcomes_and_breaches_are_counted() -> None:
    metrics = Metrics()

    for event in (change("missed", cause="pipeline"), change("late"), change("at_risk"), change("met")):
        metrics.observe(event)

    outcomes = {
        outcome: value(metrics, "deadline_outcomes_total", unit="service-hall", outcome=outcome)
        for outcome in ("met", "missed", "late", "at_risk")
    }
    assert outcomes == {"met": 1, "missed": 1, "late": 1, "at_risk": None}
    assert value(metrics, "deadline_breaches_total", unit="service-hall", cause="pipeline") == 1


def test_gaps_are_counted_at_the_first_end_only() -> None:
    metrics = Metrics()
    holes = (gap(0, 1500), gap(2000, 3000, state="explained"))

    metrics.observe(judged(gaps=holes))
    metrics.observe(judged(gaps=holes, revision=2))

    assert value(metrics, "gaps_total", source_kind="cctv", state="unexplained") == 1
    assert value(metrics, "gap_seconds_total", source_kind="cctv", state="unexplained") == 1.5
    assert value(metrics, "covered_seconds_total", source_kind="cctv") == 30


def test_archived_revisions_are_counted_and_the_first_is_timed() -> None:
    metrics = Metrics()

    for revision in (1, 2):
        metrics.observe(replace(archived(), revision=revision, ended_at=T0, archived_at=WallMs(T0 + 90_000)))

    assert value(metrics, "archived_recordings_total", source_kind="cctv") == 2
    assert value(metrics, "archive_latency_seconds_bucket", source_kind="cctv", le="60.0") == 0
    assert value(metrics, "archive_latency_seconds_bucket", source_kind="cctv", le="300.0") == 1
    assert value(metrics, "archive_promptness_total", source_kind="cctv", prompt="yes") == 1
    assert value(metrics, "archive_promptness_total", source_kind="cctv", prompt="no") == 0


def test_recordings_are_named_in_exemplars_and_nowhere_else() -> None:
    metrics = Metrics()

    metrics.observe(replace(archived(), recording_id=RecordingId("r" * 96)))
    metrics.observe(change("missed", cause="pipeline"))
    metrics.observe(judged(gaps=(gap(0, 1500),)))
    text: str = openmetrics.generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]

    spoken = [line.partition(" # ")[0] for line in text.splitlines() if not line.startswith("#")]
    named = {line.partition("{")[0] for line in text.splitlines() if "# {recording_id=" in line}
    assert [line for line in spoken if RECORDING in line or "rrrr" in line or "_created" in line] == []
    assert named == {
        f"unbroken_{name}"
        for name in (
            "archive_latency_seconds_bucket",
            "archive_promptness_total",
            "deadline_outcomes_total",
            "deadline_breaches_total",
            "gaps_total",
            "gap_seconds_total",
        )
    }


def test_findings_are_counted_by_kind_as_files_come() -> None:
    metrics = Metrics()
    seen = tuple(
        Finding(kind=kind, level="note", evidence="bytes", expected="", found="")
        for kind in ("packet_loss", "packet_loss", "clock_step")
    )
    found = JudgedSegment(probed=probed(), start=None, end=None, duplicate=False, findings=seen)

    metrics.observe(Judged(source_id=SOURCE, recording_id=RECORDING, position=1, kind="segment", segment=found))

    counted = {
        kind: value(metrics, "findings_total", source_kind="cctv", finding=kind) for kind in get_args(FindingKind)
    }
    assert {kind: count for kind, count in counted.items() if count} == {"packet_loss": 2, "clock_step": 1}
    assert None not in counted.values()


def test_gaps_that_left_our_memory_stand_no_more() -> None:
    metrics = Metrics()

    metrics.standing_gaps({("hall", "unexplained"): 3, ("hall", "R1"): 0})
    first = value(metrics, "gaps_standing", unit="hall", gap_class="unexplained")
    metrics.standing_gaps({})

    assert first == 3
    assert value(metrics, "gaps_standing", unit="hall", gap_class="unexplained") == 0


def test_what_waits_in_quarantine_is_counted_and_the_oldest_is_dated() -> None:
    metrics = Metrics()
    places = [Place("probe", "unbroken.segment.landed.v1", 0, offset) for offset in range(2)]

    none = value(metrics, "quarantine_oldest_timestamp_seconds", stage="probe")
    metrics.quarantine({places[0]: T0, places[1]: WallMs(T0 - 5000)})

    assert none == math.inf
    assert value(metrics, "quarantine_waiting", stage="probe") == 2
    assert value(metrics, "quarantine_waiting", stage="chain") == 0
    assert value(metrics, "quarantine_oldest_timestamp_seconds", stage="probe") == (T0 - 5000) / 1000
    assert value(metrics, "quarantine_oldest_timestamp_seconds", stage="chain") == math.inf


def test_the_next_deadline_is_a_timestamp_and_infinite_when_none_is_open() -> None:
    metrics = Metrics()
    hall = UnitDeadlines(unit="hall", source_kind="cctv", unarchived=(1, 0, 0, 0, 1), next_at=WallMs(T0 + 1500))

    metrics.deadlines([hall], T0)
    first = value(metrics, "deadline_next_timestamp_seconds", unit="hall", source_kind="cctv")
    metrics.deadlines([], T0)

    assert first == (T0 + 1500) / 1000
    assert value(metrics, "deadline_next_timestamp_seconds", unit="hall", source_kind="cctv") == math.inf
    for band in AGE_BANDS:
        assert value(metrics, "recordings_unarchived", unit="hall", source_kind="cctv", age_band=band) == 0


def test_what_is_not_archived_is_counted_by_age_with_the_end_of_the_oldest() -> None:
    metrics = Metrics()
    hall = UnitDeadlines(
        unit="hall", source_kind="cctv", unarchived=(5, 4, 3, 2, 1), expected=2, oldest_end=WallMs(T0 - 500)
    )

    metrics.deadlines([hall], T0)

    bands = [
        value(metrics, "recordings_unarchived", unit="hall", source_kind="cctv", age_band=band) for band in AGE_BANDS
    ]
    assert bands == [5, 4, 3, 2, 1]
    assert value(metrics, "recordings_expected", unit="hall") == 2
    assert (
        value(metrics, "unarchived_oldest_end_timestamp_seconds", unit="hall", source_kind="cctv") == (T0 - 500) / 1000
    )


def test_silent_cameras_are_counted_with_the_time_they_miss() -> None:
    metrics = Metrics()
    hall = UnitDeadlines(unit="hall", source_kind="cctv", on_duty=3, silent=2, silent_ms=90_500)

    metrics.deadlines([hall], T0)

    found = [
        value(metrics, name, unit="hall") for name in ("cameras_on_duty", "cameras_silent", "cameras_silent_seconds")
    ]
    assert found == [3, 2, 90.5]


def test_what_a_unit_expects_is_counted_whatever_is_to_bring_it() -> None:
    metrics = Metrics()
    kinds: tuple[SourceKind, ...] = ("cctv", "body_camera")

    metrics.deadlines([UnitDeadlines(unit="hall", source_kind=kind, expected=2) for kind in kinds], T0)
    both = value(metrics, "recordings_expected", unit="hall")
    metrics.deadlines([UnitDeadlines(unit="hall", source_kind="cctv", expected=1)], T0)

    assert (both, value(metrics, "recordings_expected", unit="hall")) == (4, 1)


def test_a_canary_shows_when_the_last_one_past_each_stage_set_out_and_counts_in_nothing() -> None:
    metrics = Metrics()
    name, older = beat_id(WallMs(T0 + 900_000)), beat_id(T0)
    sent = probed()

    for recording in (name, older):
        metrics.observe(replace(sent, landed=replace(sent.landed, source_id=CANARY, recording_id=recording)))
        metrics.observe(archived(source_id=CANARY, recording_id=recording))
        metrics.observe(replace(change("met", unit=CANARY_UNIT), source_id=CANARY, recording_id=recording))
        metrics.observe(replace(change("tracked", unit=CANARY_UNIT), source_id=CANARY, recording_id=recording))

    seen = {stage: value(metrics, "canary_last_seen_timestamp_seconds", stage=stage) for stage in CANARY_STAGES}
    after = (T0 + 900_000) / 1000
    assert seen == {"probe": after, "continuity": 0, "chain": 0, "stitch": 0, "archive": after, "deadline": after}
    assert value(metrics, "canary_last_seen_timestamp_seconds", stage="keeping") is None
    assert value(metrics, "archived_recordings_total", source_kind="cctv") == 0
    assert value(metrics, "deadline_outcomes_total", unit=CANARY_UNIT, outcome="met") is None


def test_recovery_never_shows_as_nothing_open() -> None:
    metrics = Metrics()
    hall = UnitDeadlines(unit="hall", source_kind="cctv", unarchived=(2, 0, 0, 0, 0), next_at=T0)
    metrics.deadlines([hall], T0)

    metrics.deadlines([], None)

    assert value(metrics, "recordings_unarchived", unit="hall", source_kind="cctv", age_band="0_4h") == 2
    assert value(metrics, "deadline_tracker_ready") == 0


@pytest.mark.parametrize(("extra", "others"), [(-1, 0), (0, 0), (1, 1)])
def test_units_beyond_the_bound_share_one_name(extra: int, others: int) -> None:
    metrics = Metrics()

    for number in range(UNITS_MAX + extra):
        metrics.observe(change("met", unit=f"unit-{number}"))

    found = value(metrics, "deadline_outcomes_total", unit=OTHER, outcome="met")
    assert (found or 0) == others


def test_it_is_a_meter_of_the_runner() -> None:
    metrics = Metrics()
    meter: Meter = metrics

    meter.events("chain", "done", 3)
    meter.retried("chain")
    meter.retrying("chain", 2)
    meter.quarantined("malformed")
    meter.state_behind("chain")
    meter.carried("chain", 0.5)
    meter.taken({"chain": 24})
    metrics.loop_lag(0.25)
    metrics.broker_lag({"chain": 7})
    metrics.pool(2, lambda: 1)
    metrics.pool_death()

    assert value(metrics, "events_total", stage="chain", result="done") == 3
    assert value(metrics, "retries_total", stage="chain") == 1
    assert value(metrics, "retrying", stage="chain") == 2
    assert value(metrics, "quarantined_total", reason="malformed") == 1
    assert value(metrics, "state_behind_total", stage="chain") == 1
    assert value(metrics, "stage_duration_seconds_sum", stage="chain") == 0.5
    assert value(metrics, "partitions", stage="chain") == 24
    assert value(metrics, "rebalances_total") == 1
    assert value(metrics, "loop_lag_seconds") == 0.25
    assert value(metrics, "lag_events", stage="chain") == 7
    assert time.time() - (value(metrics, "broker_last_answer_timestamp_seconds") or 0) < 60
    assert [value(metrics, f"pool_{name}") for name in ("processes", "jobs", "deaths_total")] == [2, 1, 1]


def test_a_metric_of_another_kind_is_refused() -> None:
    metrics = Metrics()

    with pytest.raises(ValueError, match="expected a counter, found a gauge"):
        metrics.inc(names.LOOP_LAG, 1)
    with pytest.raises(ValueError, match="expected a gauge, found a counter"):
        metrics.set(names.RETRIES, 1, "chain")
    with pytest.raises(ValueError, match="expected a histogram, found a gauge"):
        metrics.time(names.LOOP_LAG, 1)


def test_the_series_stay_few() -> None:
    metrics = Metrics()
    kinds: tuple[SourceKind, ...] = ("cctv", "body_camera")
    for number in range(20):
        for kind in kinds:
            item = UnitDeadlines(unit=f"unit-{number}", source_kind=kind, next_at=T0)
            metrics.deadlines([item], T0)

    assert sum(len(family.samples) for family in metrics.registry.collect()) < 2000


@pytest.mark.parametrize(("ok", "success"), [(True, 1), (None, 1), (False, 0)])
def test_what_the_store_was_seen_to_do_is_a_gauge_with_its_time(ok: bool | None, success: int) -> None:
    metrics = Metrics()
    tried = (Tried(name="a shorter lock", must=True, ok=ok, found=""),)

    metrics.worm(WormReport(tried_at=T0, store="", software="", tried=tried, left=None))

    assert value(metrics, "worm_probe_success") == success
    assert value(metrics, "worm_probe_last_timestamp_seconds") == T0 / 1000
