"""Builders of what the archive needs and makes: accounts, placed files, receipts, with sane defaults."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.signing import Ed25519Signer
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.canonical import Json, canonical, digest, plain
from pipeline.domain.chain import LinkAppended, LinkKind
from pipeline.domain.continuity import Gap, RecordingEnded, Run
from pipeline.domain.identity import Sha256
from pipeline.domain.playlist import Placed
from pipeline.domain.probe import MediaFacts, SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import PTS0, RECORDING, SEGMENT_MS, SOURCE, T0, facts, object_ref, sha, video

DAY_MS = 24 * 3600 * 1000
YEAR_MS = 365 * DAY_MS
GENESIS_DOMAIN = b"avchain/genesis/v1\0"
LINK_DOMAIN = b"avchain/segment/v1\0"


def locked(name: str = "segment") -> LockedObject:
    """An original as a good store reports it."""
    return LockedObject(object=object_ref(name), lock_mode="COMPLIANCE", retain_until=WallMs(T0 + YEAR_MS))


def archived(originals: int = 1, **changes: Any) -> RecordingArchived:
    """The receipt of the default recording's first revision, an hour after T0."""
    made = RecordingArchived(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=1,
        close_hash=sha("close"),
        archived_at=WallMs(T0 + 3600_000),
        originals=tuple(locked(f"original {number}") for number in range(originals)),
        records=(),
        objects_sha256=sha("objects"),
        key_id="00" * 8,
        signature="",
        ended_at=WallMs(T0 + 60_000),
        first_received_at=WallMs(T0 + 10_500),
    )
    return replace(made, **changes)


def ended(**changes: Any) -> RecordingEnded:
    """The account of three files of ten seconds each."""
    made = RecordingEnded(
        recording_id=RECORDING,
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        revision=1,
        reason="declared",
        verdict="continuous",
        started_at=T0,
        ended_at=WallMs(T0 + 30_000),
        covered_ms=30_000,
        segments=3,
        bytes=3000,
        expected_segments=3,
        first_received_at=WallMs(T0 + 10_500),
        last_received_at=WallMs(T0 + 30_500),
        runs=(Run(start=T0, end=WallMs(T0 + 30_000), segments=3),),
        gaps=(),
        findings=(),
        policy_version="test",
    )
    return replace(made, **changes)


def gap(start_ms: int, end_ms: int, **changes: Any) -> Gap:
    """A gap between two offsets from T0."""
    made = Gap(
        start=WallMs(T0 + start_ms),
        end=WallMs(T0 + end_ms),
        size_ms=end_ms - start_ms,
        error_ms=0,
        evidence="media_clock",
        state="unexplained",
    )
    return replace(made, **changes)


def placed(number: int = 0, media: MediaFacts | None = None, **changes: Any) -> Placed:
    """The file ``number * 10 s`` after T0 on the default camera's continuing clock."""
    start = T0 + number * SEGMENT_MS
    made = Placed(
        original=object_ref(f"{RECORDING}/{number}"),
        facts=media or facts(video(PTS0 + number * SEGMENT_MS * 90)),
        start=WallMs(start),
        end=WallMs(start + SEGMENT_MS),
    )
    return replace(made, **changes)


def chained(probes: Sequence[SegmentProbed], *accounts: RecordingEnded, late: int = 0) -> tuple[LinkAppended, ...]:
    """A chain of *probes*, closed with each of *accounts* in turn; the last *late* segments stand after the first close."""
    links = [
        _link("genesis", -1, GENESIS_DOMAIN, {"recording_id": RECORDING, "source_id": SOURCE, "previous_close": None})
    ]
    cut = len(probes) - late
    for number, account in enumerate(accounts):
        for item in probes[:cut] if number == 0 else probes[cut:] if number == 1 else ():
            links.append(_next(links, "segment" if number == 0 else "late", _segment(item), facts=item.facts))
        totals: dict[str, Json] = {"revision": account.revision, "account_sha256": digest(plain(account))}
        links.append(_next(links, "close", totals, ended=account))
    return tuple(links)


def _segment(item: SegmentProbed) -> dict[str, Json]:
    claim = item.landed
    start = claim.claimed_start.at if claim.claimed_start else None
    return {
        "connector": claim.connector,
        "announcement": claim.announcement,
        "original_name": claim.original_name,
        "received_at": plain(claim.received_at),
        "wall_start": plain(start),
        "wall_end": None if start is None else plain(WallMs(start + SEGMENT_MS)),
        "content": {"length": claim.object.size_bytes, "sha256": claim.object.sha256},
        "object": {"bucket": claim.object.bucket, "key": claim.object.key, "version_id": claim.object.version_id},
        "facts_sha256": digest(plain(item.facts)),
    }


def _next(links: list[LinkAppended], kind: LinkKind, body: dict[str, Json], **carried: Any) -> LinkAppended:
    seq = links[-1].seq + 1
    return _link(kind, seq, LINK_DOMAIN, {**body, "kind": kind, "seq": seq, "prev": links[-1].hash}, **carried)


def _link(kind: LinkKind, seq: int, domain: bytes, record: dict[str, Json], **carried: Any) -> LinkAppended:
    text = canonical(record)
    return LinkAppended(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        seq=seq,
        kind=kind,
        record=text.decode(),
        hash=Sha256(hashlib.sha256(domain + text).hexdigest()),
        **carried,
    )


def signer() -> Ed25519Signer:
    """A signer with a key of the tests' own, always the same."""
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
