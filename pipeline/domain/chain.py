"""Chain: each recording's items linked by hashes, in order of receipt.

``H`` is SHA-256, ``||`` joins bytes, ``JCS`` is the canonical JSON of :mod:`pipeline.domain.canonical`. Then

    genesis  h(-1) = H("avchain/genesis/v1" || 0x00 || JCS(G))
    link     h(i)  = H("avchain/segment/v1" || 0x00 || JCS(R_i)),  R_i.prev = hex(h(i-1)),  R_i.seq = i

for every kind of link. ``G.previous`` is the hash of the source's latest close link, whichever recording it closed, so that
a whole recording cannot be taken out of a source's history unseen. Rules:

1. Order is order of receipt; the timeline's order stands in the account the close link digests.
2. A link is never edited. A segment after a close is a ``late`` link; gaps are linked when a recording ends, each end
   listing all its gaps, in timeline order; then a close link says what the chain holds up to itself.
3. A close link totals everything from link 0 on, so a chain cut off after a close, and started anew, shows.
4. What names people is not in a record: a metadata link commits to it (:mod:`pipeline.domain.commitment`).
5. Judged items carry positions without a hole: a repeat links nothing, a hole means lost history and stops.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import Json, canonical, digest, plain
from pipeline.domain.commitment import Disclosed, commitment, disclose
from pipeline.domain.continuity import Gap, Judged, JudgedSegment, RecordingEnded
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.landing import Ends
from pipeline.domain.probe import MediaFacts, StreamFacts
from pipeline.domain.time import ClaimedTime, WallMs

LinkKind = Literal["genesis", "segment", "gap", "explanation", "metadata", "late", "close"]

_GENESIS: Final = b"avchain/genesis/v1\0"
_LINK: Final = b"avchain/segment/v1\0"

MAX_CHAINS: Final = 256
"""Chains of a source remembered so that they can go on; the longest untouched are forgotten first. More than continuity
remembers recordings, so a chain is never asked for after it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAppended:
    """One entry of a recording's chain, with everything later stages need of it.

    ``record`` is the canonical JSON that was hashed, verbatim: ``hash = H(domain || record)``. The genesis is carried
    as seq -1 (kind ``genesis``), so that a chain document lists everything a verifier needs. ``facts`` (segment, late)
    hashes to ``record.facts_sha256``; ``ended`` comes with the close link and hashes to its ``account_sha256``;
    ``disclosed`` comes with a metadata link and is what its ``commitment`` is of.
    hashes to ``record.facts_sha256``; ``ended`` comes with the close link and hashes to its ``account_sha256``. ``ends``
    (segment, late) is how the sender means to end the recording: for whoever must go on from an open chain alone.
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    seq: int
    kind: LinkKind
    record: str
    hash: Sha256
    facts: MediaFacts | None = None
    ended: RecordingEnded | None = None
    disclosed: Disclosed | None = None
    ends: Ends | None = None

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        sha256(self.hash)
        if self.seq < -1:
            raise ValueError(f"links count from -1, found {self.seq}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where one recording's chain stands. ``seq`` and ``hash`` of its latest link (-1: the genesis). ``closed``: a close
    link was appended, and segments are late from then on. ``count`` segments and ``bytes`` so far; ``used``: the
    position that appended last."""

    source_kind: SourceKind
    unit: str
    seq: int
    hash: Sha256
    count: int = 0
    bytes: int = 0
    closed: bool = False
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """A source's chains. ``position``: of the last judged item linked; ``previous``: the source's latest close link."""

    position: int = 0
    previous: Sha256 | None = None
    heads: Mapping[str, Head] = field(default_factory=dict)


def genesis_hash(record: Json) -> Sha256:
    """Hash of a chain's beginning."""
    return _hashed(_GENESIS, canonical(record))


def link_hash(record: Json) -> Sha256:
    """Hash of any later link."""
    return _hashed(_LINK, canonical(record))


def _hashed(domain: bytes, record: bytes) -> Sha256:
    return Sha256(hashlib.sha256(domain + record).hexdigest())


def step(state: ChainState, judged: Judged, salt_key: bytes) -> tuple[ChainState, tuple[LinkAppended, ...]]:
    """Link one judged item; salts follow from *salt_key*. Returns the next state and the links, in order; a repeat returns *state* and nothing.

    Raises :class:`HistoryMissing` if items between the last one linked and this one never came.
    """
    if judged.position <= state.position:
        return state, ()
    if judged.position != state.position + 1:
        raise HistoryMissing(
            f"expected judged item {state.position + 1}, found {judged.position}; "
            f"read the source's judged items from an earlier offset: {judged.source_id}"
        )
    if judged.recording_id is None:
        return replace(state, position=judged.position), ()
    writer = _Writer(state, judged, salt_key)
    if judged.segment is not None:
        writer.segment(judged.segment)
    elif judged.ended is not None:
        writer.ended(judged.ended)
    elif judged.annotation is not None:
        writer.annotation(judged.annotation)
    return writer.done()


class _Writer:
    """Appends to one recording's chain; lives for one step only."""

    def __init__(self, state: ChainState, judged: Judged, salt_key: bytes) -> None:
        assert judged.recording_id is not None
        self._state = state
        self._salt_key = salt_key
        self._judged = judged
        self._recording = judged.recording_id
        self._head = state.heads.get(self._recording)
        self._previous = state.previous
        self._links: list[LinkAppended] = []

    def segment(self, segment: JudgedSegment) -> None:
        landed = segment.probed.landed
        head = self._head or self._begin(landed.source_kind, landed.unit, landed.received_at)
        kind: LinkKind = "late" if head.closed else "segment"
        self._append(kind, _segment_record(segment), facts=segment.probed.facts, ends=landed.ends)
        self._head = replace(self._at(), count=head.count + 1, bytes=head.bytes + landed.object.size_bytes)

    def annotation(self, annotation: Annotation) -> None:
        if annotation.explanation is not None:
            self._append("explanation", _explanation_record(annotation))
        elif annotation.metadata is not None:
            disclosed = disclose(annotation.metadata, annotation.annotation_id, self._recording, self._salt_key)
            record: dict[str, Json] = {**_statement(annotation), "commitment": commitment(disclosed)}
            self._append("metadata", record, disclosed=disclosed)

    def ended(self, ended: RecordingEnded) -> None:
        for number, gap in enumerate(ended.gaps):
            self._append("gap", {**_gap_record(gap), "revision": ended.revision, "number": number})
        head = self._at()
        self._append("close", _close_record(ended, head), ended=ended)
        self._head = replace(self._at(), closed=True)
        self._previous = self._head.hash

    def done(self) -> tuple[ChainState, tuple[LinkAppended, ...]]:
        position = self._judged.position
        heads = dict(self._state.heads)
        if self._head is not None:
            heads[self._recording] = replace(self._head, used=position)
        if len(heads) > MAX_CHAINS:
            del heads[min(heads, key=lambda name: heads[name].used)]
        return ChainState(position=position, previous=self._previous, heads=heads), tuple(self._links)

    def _begin(self, kind: SourceKind, unit: str, received_at: WallMs) -> Head:
        record: dict[str, Json] = {
            "source_id": self._judged.source_id,
            "recording_id": self._recording,
            "source_kind": kind,
            "unit": unit,
            "first_received_at": plain(received_at),
            "position": self._judged.position,
            "previous": self._previous,
        }
        text = canonical(record)
        self._head = Head(source_kind=kind, unit=unit, seq=-1, hash=_hashed(_GENESIS, text))
        self._links.append(self._link("genesis", text))
        return self._head

    def _append(
        self,
        kind: LinkKind,
        body: Mapping[str, Json],
        facts: MediaFacts | None = None,
        ended: RecordingEnded | None = None,
        disclosed: Disclosed | None = None,
        ends: Ends | None = None,
    ) -> None:
        head = self._at()
        record = {**body, "kind": kind, "recording_id": self._recording, "seq": head.seq + 1, "prev": head.hash}
        text = canonical(record)
        self._head = replace(head, seq=head.seq + 1, hash=_hashed(_LINK, text))
        self._links.append(replace(self._link(kind, text), facts=facts, ended=ended, disclosed=disclosed, ends=ends))

    def _link(self, kind: LinkKind, text: bytes) -> LinkAppended:
        head = self._at()
        return LinkAppended(
            source_id=self._judged.source_id,
            source_kind=head.source_kind,
            unit=head.unit,
            recording_id=self._recording,
            seq=head.seq,
            kind=kind,
            record=text.decode(),
            hash=head.hash,
        )

    def _at(self) -> Head:
        if self._head is None:
            raise HistoryMissing(
                f"a chain begins with a segment, found a judged {self._judged.kind}; rebuild the source's state "
                f"from the archive: {self._recording}"
            )
        return self._head


# Records: what is hashed. Every field is named in docs/evidence-format.md.


def _segment_record(segment: JudgedSegment) -> dict[str, Json]:
    """What was received, what it claims and where it was placed, kept apart. Stamps are those of the reference stream."""
    probed, landed = segment.probed, segment.probed.landed
    stream = _reference(probed.facts.streams)
    last = (
        None if stream is None or stream.last_ticks is None else stream.last_ticks + (stream.median_interval_ticks or 0)
    )
    return {
        "announcement": landed.announcement,
        "connector": landed.connector,
        "received_at": plain(landed.received_at),
        "original_name": landed.original_name,
        "claimed": {
            "start": _claim(landed.claimed_start),
            "end": _claim(landed.claimed_end),
            "clock_offset_ms": landed.clock_offset_ms,
            "sequence": landed.sequence,
            "run": landed.run,
        },
        "wall_start": plain(segment.start),
        "wall_end": plain(segment.end),
        "pts_first": None if stream is None else stream.first_ticks,
        "pts_end": last,
        "time_base": None if stream is None else f"{stream.time_base_num}/{stream.time_base_den}",
        "content": {
            "length": landed.object.size_bytes,
            "sha256": probed.observed_sha256,
            "sm3": probed.observed_sm3,
            "chunk_root": probed.chunk_root,
        },
        "object": {
            "bucket": landed.object.bucket,
            "key": landed.object.key,
            "version_id": landed.object.version_id,
        },
        "duplicate": segment.duplicate,
        "probe_version": probed.probe_version,
        "facts_sha256": digest(plain(probed.facts)),
        "findings_sha256": digest(plain(segment.findings)),
    }


def _reference(streams: tuple[StreamFacts, ...]) -> StreamFacts | None:
    """The first video stream with stamps, else the first stream with any."""
    timed = [stream for stream in streams if stream.first_ticks is not None and stream.kind != "other"]
    return next((stream for stream in timed if stream.kind == "video"), timed[0] if timed else None)


def _claim(claim: ClaimedTime | None) -> Json:
    return None if claim is None else {"at": plain(claim.at), "origin": claim.origin, "error_ms": claim.error_ms}


def _gap_record(gap: Gap) -> dict[str, Json]:
    record = plain(gap)
    assert isinstance(record, dict)
    return record


def _explanation_record(annotation: Annotation) -> dict[str, Json]:
    return {**_statement(annotation), "explanation": plain(annotation.explanation)}


def _statement(annotation: Annotation) -> dict[str, Json]:
    return {
        "annotation_id": annotation.annotation_id,
        "made_at": plain(annotation.made_at),
        "made_by": annotation.made_by,
    }


def _close_record(ended: RecordingEnded, head: Head) -> dict[str, Json]:
    """Totals of the whole chain before this link: ``links`` is how many (gaps and statements included)."""
    return {
        "count": head.count,
        "bytes": head.bytes,
        "links": head.seq + 1,
        "covered_ms": ended.covered_ms,
        "revision": ended.revision,
        "verdict": ended.verdict,
        "reason": ended.reason,
        "account_sha256": digest(plain(ended)),
    }


# Checking.


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFault:
    """Something a chain's links contradict. ``check`` is the number of the step in :func:`verify`; ``seq`` the link."""

    check: int
    seq: int
    expected: str
    found: str


def verify(links: Sequence[LinkAppended]) -> tuple[ChainFault, ...]:
    """Check one recording's whole chain, from its genesis to its last close link. Every fault is returned.

    1. There are links; the first is the genesis with seq -1, and no other is one.
    2. Numbers ascend by one.
    3. Each record is canonical JSON, and its own kind, seq and recording agree with what stands beside it.
    4. Each hash is that of its record.
    5. Each record's ``prev`` is the hash of the link before it.
    6. Facts, accounts and disclosed metadata beside a record hash to what it says, and are there where it says so.
    7. Each close link's totals and revision are those of the links before it; links of segments before and after a close
       are named for it.
    8. The last link is a close link: nothing was cut off the end.
    """
    return tuple(_Checker(links).faults())


class _Checker:
    def __init__(self, links: Sequence[LinkAppended]) -> None:
        self._links = links
        self._faults: list[ChainFault] = []
        self._count = self._bytes = self._closes = 0

    def faults(self) -> list[ChainFault]:
        links = self._links
        if not links:
            return [ChainFault(check=1, seq=-1, expected="a genesis", found="no links")]
        for index, link in enumerate(links):
            self._is(1, link, "genesis" if index == 0 else "a later link", _rank(link))
            self._is(2, link, index - 1, link.seq)
            self._is(3, link, links[0].recording_id, link.recording_id)
            self._is(
                3,
                link,
                (links[0].source_id, links[0].source_kind, links[0].unit),
                (link.source_id, link.source_kind, link.unit),
            )
            self._is(
                4, link, _hashed(_GENESIS if index == 0 else _LINK, link.record.encode("utf-8", "replace")), link.hash
            )
            record = self._record(link)
            if index and record is not None:
                self._is(5, link, links[index - 1].hash, record.get("prev"))
                self._contents(link, record)
        self._is(8, links[-1], "close", links[-1].kind)
        return self._faults

    def _record(self, link: LinkAppended) -> Mapping[str, Any] | None:
        """The record as an object, or ``None`` if it is none; its own words must be those beside it (3)."""
        try:
            record = json.loads(link.record)
            again = canonical(record).decode()
        except (ValueError, RecursionError) as exc:
            self._fault(3, link, "canonical JSON", str(exc))
            return None
        self._is(3, link, again, link.record)
        if not isinstance(record, dict):
            self._fault(3, link, "an object", type(record).__name__)
            return None
        self._is(3, link, link.recording_id, record.get("recording_id"))
        if link.kind == "genesis":
            beside = (link.source_id, link.source_kind, link.unit)
            self._is(3, link, beside, (record.get("source_id"), record.get("source_kind"), record.get("unit")))
        else:
            self._is(3, link, (link.kind, link.seq), (record.get("kind"), record.get("seq")))
        return record

    def _contents(self, link: LinkAppended, record: Mapping[str, Any]) -> None:
        facts = None if link.facts is None else digest(plain(link.facts))
        ended = None if link.ended is None else digest(plain(link.ended))
        self._is(6, link, record.get("facts_sha256"), facts)
        self._is(6, link, record.get("account_sha256"), ended)
        self._is(6, link, record.get("commitment"), None if link.disclosed is None else commitment(link.disclosed))
        if link.kind in ("segment", "late"):
            self._is(7, link, "late" if self._closes else "segment", link.kind)
            self._count += 1
            length = record.get("content", {}).get("length") if isinstance(record.get("content"), dict) else None
            self._bytes += length if isinstance(length, int) else 0
        elif link.kind == "close":
            self._closes += 1
            totals = (self._count, self._bytes, link.seq, self._closes)
            self._is(7, link, totals, tuple(record.get(name) for name in ("count", "bytes", "links", "revision")))

    def _is(self, check: int, link: LinkAppended, expected: object, found: object) -> None:
        if expected != found:
            self._fault(check, link, str(expected), str(found))

    def _fault(self, check: int, link: LinkAppended, expected: str, found: str) -> None:
        self._faults.append(ChainFault(check=check, seq=link.seq, expected=expected[:400], found=found[:400]))


def _rank(link: LinkAppended) -> str:
    return "genesis" if link.kind == "genesis" else "a later link"
