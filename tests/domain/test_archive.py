"""What is archived where, until when, and what a repeat is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.domain.archive import (
    PROMPT_MS,
    REMEMBERED,
    ArchiveState,
    is_prompt,
    is_repeat,
    objects_digest,
    receipt_document,
    receipt_message,
    record_key,
    remember,
)
from pipeline.domain.canonical import plain
from pipeline.domain.identity import RecordingId
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import WallMs
from tests.builders import RECORDING, SOURCE, T0, sha
from tests.builders_archive import archived, ended, locked

STITCHED = RecordingStitched(
    source_id=SOURCE,
    source_kind="cctv",
    unit="service-hall",
    recording_id=RECORDING,
    revision=2,
    close_hash=sha("close"),
    close_seq=4,
    documents=(),
    originals=(),
    ended=ended(),
)


def test_every_revision_has_a_folder_of_its_own() -> None:
    assert record_key(SOURCE, RECORDING, 2, "receipt.json") == f"recordings/{SOURCE}/{RECORDING}/r2/receipt.json"


@pytest.mark.parametrize(
    ("revision", "close", "repeat"),
    [(1, "other", True), (2, "close", True), (2, "other", False), (3, "close", False)],
)
def test_a_repeat_is_an_earlier_revision_or_the_same_close(revision: int, close: str, repeat: bool) -> None:
    state = remember(ArchiveState(), STITCHED)

    assert is_repeat(state, replace(STITCHED, revision=revision, close_hash=sha(close))) is repeat


def test_the_oldest_archived_recordings_are_forgotten() -> None:
    state = ArchiveState()
    for number in range(REMEMBERED + 2):
        state = remember(state, replace(STITCHED, recording_id=RecordingId(f"hall-1-{number}")))

    assert (len(state.done), next(iter(state.done))) == (REMEMBERED, "hall-1-2")


def test_the_digest_of_the_objects_changes_with_each_of_them() -> None:
    one, other = locked("one"), locked("other")

    digests = {objects_digest(*lists) for lists in [((one,), ()), ((), (one,)), ((other,), ()), ((one, other), ())]}

    assert len(digests) == 4


def test_the_signature_covers_six_fields_in_canonical_json() -> None:
    message = receipt_message(STITCHED, sha("objects"), T0, "0011223344556677")

    assert message == (
        b'{"archived_at":"2026-11-24T08:00:00.000Z","close_hash":"%s","key_id":"0011223344556677",'
        b'"objects_sha256":"%s","recording_id":"hall-1-20261124T080000Z","revision":2}'
        % (sha("close").encode(), sha("objects").encode())
    )


def test_the_receipt_document_is_the_event_and_its_format() -> None:
    receipt = json.loads(receipt_document(archived(2)))

    assert receipt.pop("format") == "unbroken.receipt.v1"
    assert receipt == plain(archived(2))


@pytest.mark.parametrize(("late_ms", "prompt"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("docked_after_ms", [-60_000, 0, 8 * 3600_000])
def test_prompt_is_four_hours_after_it_ended_and_began_to_arrive(
    late_ms: int, prompt: bool, docked_after_ms: int
) -> None:
    received = WallMs(T0 + docked_after_ms)
    at = WallMs(max(T0, received) + PROMPT_MS + late_ms)

    assert is_prompt(archived(ended_at=T0, first_received_at=received, archived_at=at)) is prompt
