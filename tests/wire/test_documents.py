"""The archived documents, as the stages really make them, against their schemas."""

from __future__ import annotations

import json
from typing import Any

from pipeline.domain import archive, chain, continuity, stitch
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import Sha256
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import (
    RECORDING,
    SALT_KEY,
    SOURCE,
    T0,
    explanation,
    metadata,
    photo,
    policy,
    probed,
    session_ended,
    sha,
)
from tests.wire.contract import validator

DAY: tuple[SegmentProbed | Annotation, ...] = (
    probed(0, sequence=7, run="7b5c", clock_offset_ms=-20),
    probed(1),
    probed(4),
    explanation(20_000, 40_000),
    metadata(),
    session_ended(expected=3),
    photo(9, announcement=4),
    session_ended("end-2", expected=4),
)
"""Two segments, a gap, one more, the case data, the end; then a late photo and the end again."""


def links() -> tuple[LinkAppended, ...]:
    source, chains, made = SourceState(source_id=SOURCE), ChainState(), list[LinkAppended]()
    for event in DAY:
        source, judged = continuity.step(source, event, policy())
        for item in judged:
            chains, appended = chain.step(chains, item, SALT_KEY)
            made += appended
    return tuple(made)


def faults(schema: str, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(schema).iter_errors(value)]


def test_manifest_timeline_and_chain_are_as_their_schemas_say() -> None:
    documents = dict(stitch.documents(links(), "unbroken test"))

    manifest = json.loads(documents["manifest.json"])
    lines = [json.loads(line) for line in documents["chain.jsonl"].splitlines()]

    assert faults("manifest.v1", manifest) == []
    assert faults("timeline.v1", json.loads(documents["timeline.json"])) == []
    assert [fault for line in lines for fault in faults("chain.v1", line)] == []
    assert (manifest["revision"], len(manifest["originals"]), len(manifest["statements"])) == (2, 4, 2)


def test_a_receipt_is_as_its_schema_says() -> None:
    locked = LockedObject(object=probed().landed.object, lock_mode="COMPLIANCE", retain_until=WallMs(T0 + 1))
    event = RecordingArchived(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=1,
        close_hash=sha("close"),
        archived_at=T0,
        originals=(locked,),
        records=(locked,),
        objects_sha256=Sha256(archive.objects_digest((locked,), (locked,))),
        key_id="0123456789abcdef",
        signature="c2ln",
        ended_at=None,
        first_received_at=T0,
    )

    receipt = json.loads(archive.receipt_document(event))

    assert faults("receipt.v1", receipt) == []
