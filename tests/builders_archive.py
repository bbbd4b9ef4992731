"""Builders of what the archive needs and makes: accounts, placed files, receipts, with sane defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.signing import Ed25519Signer, verify
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.chain import ChainState, LinkAppended, step
from pipeline.domain.continuity import Gap, Judged, JudgedSegment, RecordingEnded, Run
from pipeline.domain.errors import StoreUntrusted
from pipeline.domain.identity import Sha256
from pipeline.domain.keeping import Entry, EntryKind, entry_digest
from pipeline.domain.playlist import Placed
from pipeline.domain.policy import Policy
from pipeline.domain.probe import MediaFacts, SegmentProbed
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStore
from pipeline.steps.keeping import Keeper
from pipeline.steps.seal import Sealer, Seals
from tests.builders import PTS0, RECORDING, SALT_KEY, SEGMENT_MS, SOURCE, T0, facts, object_ref, sha, video

DAY_MS = 24 * 3600 * 1000
YEAR_MS = 365 * DAY_MS


class Trusting:
    """Trust in a store that nobody tries, for tests of what is done with it; *why* takes it away."""

    def __init__(self) -> None:
        self.why = ""

    def require(self) -> None:
        if self.why:
            raise StoreUntrusted(self.why)


def locked(name: str = "segment") -> LockedObject:
    """An original as a good store reports it."""
    return LockedObject(object=object_ref(name), lock_mode="COMPLIANCE", retain_until=WallMs(T0 + YEAR_MS))


def archived(originals: int = 1, **changes: Any) -> RecordingArchived:
    """The receipt of the default recording's first revision, an hour after T0: of the first so many files of it."""
    recording = changes.get("recording_id", RECORDING)
    made = RecordingArchived(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=1,
        close_hash=sha("close"),
        archived_at=WallMs(T0 + 3600_000),
        originals=tuple(locked(f"{recording}/{number}") for number in range(originals)),
        records=(),
        objects_sha256=sha("objects"),
        key_id="00" * 8,
        signature="",
        ended_at=WallMs(T0 + 60_000),
        first_received_at=WallMs(T0 + 10_500),
    )
    return replace(made, **changes)


def stitched(**changes: Any) -> RecordingStitched:
    """The default recording's first revision, its documents made."""
    made = RecordingStitched(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=1,
        close_hash=sha("close"),
        close_seq=3,
        documents=(),
        originals=(object_ref(f"{RECORDING}/0"),),
        ended=ended(),
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


def chained(
    probes: Sequence[SegmentProbed], *accounts: RecordingEnded, late: int = 0, said: Sequence[Annotation] = ()
) -> tuple[LinkAppended, ...]:
    """A chain of *probes* and what was *said* of them, closed with each of *accounts* in turn; the last *late* segments
    stand after the first close. Counts and bytes of the accounts are not those of the segments; nothing here needs it."""
    cut = len(probes) - late
    items = [_placed(item) for item in probes[:cut]]
    items += [{"kind": "annotation", "annotation": annotation} for annotation in said]
    for number, account in enumerate(accounts):
        items += [_placed(item) for item in probes[cut:] if number == 1]
        items.append({"kind": "ended", "ended": account})
    state, links = ChainState(), list[LinkAppended]()
    for position, item in enumerate(items, start=1):
        judged = Judged(source_id=SOURCE, recording_id=RECORDING, position=position, **item)
        state, appended = step(state, judged, SALT_KEY)
        links += appended
    return tuple(links)


def _placed(item: SegmentProbed) -> dict[str, Any]:
    claim = item.landed.claimed_start
    segment = JudgedSegment(
        probed=item,
        start=None if claim is None else claim.at,
        end=None if claim is None else WallMs(claim.at + SEGMENT_MS),
        duplicate=False,
        findings=item.facts.findings,
    )
    return {"kind": "segment", "segment": segment}


def signer() -> Ed25519Signer:
    """A signer with a key of the tests' own, always the same."""
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def classified_as(name: str, **changes: Any) -> Entry:
    """The default recording is of this retention class, said at T0."""
    return _entry("classified", {"retention_class": name, **changes})


def held_for(name: str, **changes: Any) -> Entry:
    """A hold of this name on the default recording, set at T0."""
    return _entry("held", {"hold": name, **changes})


def released_from(hold: Entry, **changes: Any) -> Entry:
    """The release of *hold*, by two people."""
    return _entry("released", {"hold": hold.hold, "releases": entry_digest(hold), "second": "Wang Fang", **changes})


def _entry(kind: EntryKind, fields: dict[str, Any]) -> Entry:
    made = {
        "source_id": SOURCE,
        "recording_id": RECORDING,
        "made_at": T0,
        "made_by": "Li Wei",
        "reason": "因案",
        **fields,
    }
    return Entry(kind=kind, **made)


def register(*entries: Entry) -> dict[Sha256, Entry]:
    """A recording's register with these entries."""
    return {entry_digest(entry): entry for entry in entries}


def keeper_of(store: ObjectStore, rules: Policy, records: str = "records") -> Keeper:
    """A keeper that has the tests' key."""
    known = {signer().key_id: signer().public}
    return Keeper(
        store=store,
        policy=rules,
        records=records,
        seals=Seals(store=store, records=records, keys=known, signed=verify),
        sealer=Sealer(store=store, signer=signer(), records=records),
    )
