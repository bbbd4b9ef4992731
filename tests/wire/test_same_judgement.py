"""The ledger's way and ``check`` judge alike: the same files give the same account, over the wire and state by state."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from pipeline.domain import continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import plain
from pipeline.domain.check import FileRead, check
from pipeline.domain.continuity import SourceState
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.recording import RecordingEnded
from pipeline.domain.time import WallMs
from pipeline.wire import topics
from pipeline.wire.codec import decode, dump_state, encode, event_topic, load_state
from tests.builders import (
    SEGMENT_MS,
    T0,
    audio,
    claimed,
    facts,
    hole,
    mp4,
    mtxi,
    photo,
    policy,
    probed,
    session_ended,
    unreadable,
    video,
)  # fmt: skip

NOW = WallMs(T0 + 86_400_000)


def stamped(number: int, first: int) -> SegmentProbed:
    return probed(number, facts(video(first % MPEG_TS_WRAP), audio(first % MPEG_TS_WRAP)))


def copied(item: SegmentProbed, off_ms: int = 0) -> SegmentProbed:
    """The file with no claim but the date of its copy."""
    date = claimed(T0 + 3_600_000 + off_ms, 2000, "file_system")
    return replace(item, landed=replace(item.landed, claimed_start=date))


RUNNING = SEGMENT_MS * 90
WRAP = MPEG_TS_WRAP - RUNNING - 7
RECORDINGS = {
    "whole": [probed(number) for number in range(6)],
    "files missing": [probed(number) for number in (0, 1, 4, 5, 9)],
    "late and out of order": [probed(number) for number in (3, 0, 5, 1, 4, 2)],
    "a duplicate": [probed(0), probed(1), probed(1), probed(2)],
    "over the wrap": [stamped(number, WRAP + number * RUNNING) for number in range(4)],
    "a gap over the wrap": [stamped(number, WRAP + number * RUNNING) for number in (0, 1, 3)],
    "stamps that begin anew once": [stamped(n, n % 3 * RUNNING + (n // 3) * 123_456) for n in range(6)],
    "stamps that begin anew in every file": [stamped(number, 126_000) for number in range(20)],
    "wall clock alone": [mp4(number) for number in (0, 1, 2, 5)],
    "holes inside": [mp4(0, SEGMENT_MS, hole(2000, 5000)), mp4(1), mp4(2, SEGMENT_MS, hole(0, 400))],
    "identities": [mtxi(number) for number in (0, 1, 4)] + [mtxi(7, "9e9e")],
    "copies with one date": [copied(probed(number), number) for number in (0, 1, 3)],
    "copies that begin anew": [copied(mp4(number), number) for number in range(3)],
    "numbers missing": [probed(number, sequence=2 * number) for number in range(3)],
    "a photo and a bad file": [probed(0), photo(1), unreadable(2), probed(3)],
    "nothing but bad files": [unreadable(0), unreadable(1)],
}  # fmt: skip


def by_the_ledger(items: list[SegmentProbed]) -> RecordingEnded:
    """Each event written to its topic and read back, the state likewise, as a restarted worker finds them."""
    numbered = [
        replace(item, landed=replace(item.landed, announcement=number)) for number, item in enumerate(items, start=1)
    ]
    ended: RecordingEnded | None = None
    raw = json.dumps(dump_state(SourceState()))
    events: list[SegmentProbed | Annotation] = [*numbered, session_ended(expected=len(items))]
    for event in events:
        heard = decode(event_topic(event).name, encode(event))
        state, judged = continuity.step(load_state(SourceState, json.loads(raw)), heard, policy())
        raw = json.dumps(dump_state(state))
        for item in judged:
            back = decode(topics.JUDGED.name, encode(item))
            ended = back.ended if back.ended is not None else ended
    assert ended is not None
    return ended


def by_check(items: list[SegmentProbed]) -> RecordingEnded:
    files = [
        FileRead(
            name=item.landed.original_name,
            sha256=item.landed.object.sha256,
            size_bytes=item.landed.object.size_bytes,
            facts=item.facts,
            start=item.landed.claimed_start,
            sequence=item.landed.sequence,
            run=item.landed.run,
        )
        for item in items
    ]
    ended = check("hall", files, [], "cctv", NOW, policy()).ended
    assert ended is not None
    return ended


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_pipeline_and_check_give_one_account(name: str, seed: int | None) -> None:
    arrived = list(RECORDINGS[name])
    if seed is not None:
        random.Random(seed).shuffle(arrived)

    ledger, at_hand = by_the_ledger(arrived), by_check(RECORDINGS[name])

    for part in ("verdict", "started_at", "ended_at", "covered_ms", "segments", "runs", "gaps", "findings"):
        assert plain(getattr(at_hand, part)) == plain(getattr(ledger, part)), part


def test_the_recordings_differ_in_what_is_wrong_with_them() -> None:
    accounts = {name: by_check(items) for name, items in RECORDINGS.items()}

    assert {account.verdict for account in accounts.values()} == {
        "continuous", "interrupted", "degraded", "not_testable", "unreadable"
    }  # fmt: skip
    kinds = {finding.kind for account in accounts.values() for finding in account.findings}
    assert kinds >= {"duplicate", "timestamp_reset", "missing_sequence", "unreadable", "not_testable"}
    assert sum(bool(account.gaps) for account in accounts.values()) >= 5
