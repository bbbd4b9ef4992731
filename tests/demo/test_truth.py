"""The truth follows from the files' own bytes and names, by the readers and the domain alone, in any order of arrival."""

from __future__ import annotations

import hashlib
import random
import time
from datetime import UTC
from pathlib import Path

import pytest

from pipeline.adapters.media import facts
from pipeline.connectors.names import PROFILES, read_claims, recording_of
from pipeline.demo.footage import Shot, shoot
from pipeline.demo.masters import encoded_masters
from pipeline.demo.stand import Stand
from pipeline.demo.truth import differences
from pipeline.domain.annotation import Annotation, ScheduleWindow, SessionEnded
from pipeline.domain.continuity import RecordingEnded, SourceState, step
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.wire.reports import Chained, Reported, recording_report

NOW = WallMs(time.time_ns() // 1_000_000)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shot, ...]:
    folder = tmp_path_factory.mktemp("truth")
    return shoot(encoded_masters(Settings().state / "demo"), folder, NOW, "t3st")


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    stand = Stand(folder=tmp_path, prefix="t3st", ports={})
    return load_policy(Path(stand.variables["UNBROKEN_POLICY"]))


def _probed(shot: Shot, path: Path, announcement: int, policy: Policy) -> SegmentProbed:
    digest = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
    stat = path.stat()
    claims = read_claims(path, stat.st_mtime_ns, PROFILES["auto"], UTC)
    landed = SegmentLanded(
        connector="test",
        announcement=announcement,
        source_id=shot.source_id,
        source_kind=shot.kind,
        unit=shot.unit,
        recording_id=shot.recording or recording_of(shot.source_id, shot.kind, path, claims.start, policy.block_s, NOW),
        object=ObjectRef(bucket="o", key="k", version_id="v", sha256=digest, size_bytes=stat.st_size),
        original_name=path.name,
        received_at=WallMs(NOW + announcement),
        ends="declared",
        claimed_start=claims.start,
    )
    read = facts(str(path), policy.tolerance[shot.kind])
    return SegmentProbed(landed=landed, facts=read, observed_sha256=digest, probe_version="test")


def _ended(shot: Shot, probed: list[SegmentProbed], policy: Policy) -> dict[RecordingId, RecordingEnded]:
    events: list[SegmentProbed | Annotation] = [*probed]
    if shot.window is not None:
        start, end, reason = shot.window
        body = ScheduleWindow(start=start, end=end, reason=reason)
        events.insert(0, _said(shot, None, kind="schedule_window", window=body))
    for truth in shot.truths:
        body_end = SessionEnded(reason="declared", expected_segments=truth.segments)
        events.append(_said(shot, truth.recording_id, kind="session_ended", ended=body_end))
    state = SourceState()
    found: dict[RecordingId, RecordingEnded] = {}
    for event in events:
        state, judged = step(state, event, policy)
        found |= {item.ended.recording_id: item.ended for item in judged if item.ended is not None}
    return found


def _said(shot: Shot, recording: RecordingId | None, **body: object) -> Annotation:
    return Annotation(
        annotation_id=f"{body['kind']}-{recording}",
        source_id=shot.source_id,
        recording_id=recording,
        made_at=NOW,
        made_by="test",
        **body,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_truth_follows_from_the_bytes_in_any_order_of_arrival(
    shots: tuple[Shot, ...], policy: Policy, seed: int | None
) -> None:
    wrong = {}
    for shot in shots:
        files = [*shot.files, *shot.late]
        if seed is not None:
            random.Random(seed).shuffle(files)
        probed = [_probed(shot, path, number, policy) for number, path in enumerate(files, start=1)]
        ended = _ended(shot, probed, policy)
        for truth in shot.truths:
            known = Reported(
                account=ended[truth.recording_id],
                chain=Chained(links=0, head=None, closed=True),
                archived=None,
                deadline=None,
                ended=True,
            )
            report = recording_report(known)
            # What the stages after continuity add is not asked here.
            report["archive"] |= {"state": "archived", "lock_mode": "COMPLIANCE"}
            report["deadline"] = {"state": truth.deadline, "at": "1970-01-02T00:00:00.000Z"}
            if lines := differences(truth, report):
                wrong[truth.recording_id] = lines

    assert wrong == {}
