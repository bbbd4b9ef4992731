"""Ten thousand recordings pending: one look at the deadlines and one scrape stay far inside what an operator notices."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from prometheus_client.exposition import generate_latest

from pipeline.adapters.prometheus import KINDS, Metrics
from pipeline.domain.annotation import Annotation
from pipeline.domain.deadline import step
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.outlook import UnitDeadlines, due, summary
from pipeline.domain.recording import GAP_CLASSES
from pipeline.domain.time import WallMs
from pipeline.wire import codec
from tests.builders import T0, always, annotation, landed, policy, session_ended

HOUR = 3600_000
POLICY = policy()
SOURCES, EACH, UNITS = 500, 20, 20


def pending() -> dict[str, SourceDeadlines]:
    """500 devices of 20 units, one in ten of them a camera with hours, each with 20 recordings that are not archived."""
    found: dict[str, SourceDeadlines] = {}
    for number in range(SOURCES):
        camera = number % 10 == 0
        name, unit = SourceId(f"device-{number}"), f"unit-{number % UNITS}"
        state = SourceDeadlines(source_id=name)
        said: list[Annotation] = [annotation("hours", "schedule", schedule=always(), unit=unit, made_at=T0)]
        for event in said if camera else ():
            state, _ = step(state, event, POLICY)
        for item in range(2):
            state, _ = step(
                state,
                landed(
                    item,
                    source_id=name,
                    unit=unit,
                    source_kind="cctv" if camera else "body_camera",
                    recording_id=f"recording-{item}",
                    ends="next_block" if camera else "declared",
                ),
                POLICY,
            )
        state, _ = step(state, session_ended(recording_id="recording-1", source_id=name), POLICY)
        (one,) = [tracked for tracked in state.open.values() if tracked.recording_id == "recording-1"]
        copies = [replace(one, recording_id=RecordingId(f"recording-{item}")) for item in range(EACH)]
        found[name] = replace(state, open={copy.recording_id: copy for copy in copies})
    return found


def test_a_look_at_ten_thousand_takes_less_than_a_second_and_a_scrape_a_third_of_one() -> None:
    states, metrics = pending(), Metrics()
    now = WallMs(T0 + 22 * HOUR)

    began = time.process_time()
    said = due(states, now, POLICY)
    sizes = [len(codec.encode(item)) for item in said]
    units = summary(states, now, POLICY)
    metrics.deadlines(units, now)
    looked = time.process_time()
    text = generate_latest(metrics.registry)
    scraped = time.process_time()

    assert sum(sum(unit.unarchived) for unit in units) == SOURCES * EACH
    assert len(said) > SOURCES * EACH * 0.9
    assert looked - began < 1
    assert scraped - looked < 0.3
    assert series(text) < 2000
    assert max(sizes) < 1000


def series(text: bytes) -> int:
    return len([line for line in text.splitlines() if not line.startswith(b"#")])


@pytest.mark.parametrize(("units", "kinds", "most"), [(20, 2, 1400), (40, 2, 2000), (20, len(KINDS), 1800)])
def test_a_bureau_of_many_units_has_a_bounded_number_of_series(units: int, kinds: int, most: int) -> None:
    metrics, names = Metrics(), [f"unit-{number}" for number in range(units)]

    metrics.deadlines([UnitDeadlines(unit=unit, source_kind=kind) for unit in names for kind in KINDS[:kinds]], T0)
    metrics.standing_gaps({(unit, gap_class): 1 for unit in names for gap_class in GAP_CLASSES})

    assert series(generate_latest(metrics.registry)) < most
