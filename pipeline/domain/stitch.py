"""Stitch: a recording's links become the documents that describe it: manifest, timeline, playlist, chain.

Everything is taken from the chain: what no link states is in no document, and equal links give equal bytes (the name of
the software is an argument). ``docs/evidence-format.md`` describes the documents for people who trust none of this.

Rule 1: ``chain.jsonl`` holds the hashed text of every link verbatim; all else is a reading of it.
Rule 2: the manifest names the digest of every other document and of every original, so its digest covers the recording.
Rule 3: links are numbered without a hole. A repeat changes nothing; a hole means lost history and stops the recording.
Rule 4: an original is never touched and never hidden: what a player cannot show is listed with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from pipeline.domain.canonical import Json, canonical, plain
from pipeline.domain.chain import LinkAppended
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.disagreement import Reading, disagreements, readings
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.playlist import Placed, playlist, unplayable
from pipeline.domain.probe import MediaFacts
from pipeline.domain.time import ClaimedTime, WallMs, from_rfc3339

DocumentName = Literal["manifest.json", "timeline.json", "playlist.m3u8", "chain.jsonl", "receipt.json"]

MANIFEST_FORMAT: Final = "unbroken.manifest.v1"
TIMELINE_FORMAT: Final = "unbroken.timeline.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One produced document: its name beside the recording and the object that holds its staged bytes."""

    name: DocumentName
    sha256: Sha256
    size_bytes: int
    staged_key: str

    def __post_init__(self) -> None:
        sha256(self.sha256)
        if self.size_bytes < 0 or not self.staged_key:
            raise ValueError(f"a document has a size and a key, found {self.size_bytes} and {self.staged_key!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStitched:
    """A closed revision of a recording, described. ``originals``: each distinct object once, in timeline order."""

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    revision: int
    close_hash: Sha256
    close_seq: int
    documents: tuple[Document, ...]
    originals: tuple[ObjectRef, ...]
    ended: RecordingEnded

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        sha256(self.close_hash)
        if self.revision < 1 or self.close_seq < 0:
            raise ValueError(f"revisions count from 1 and links from 0, found {self.revision} and {self.close_seq}")


# -- following the links -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedChain:
    """Where a recording's chain begins in the link topic, and what comes next. ``closed``: its last link is a close."""

    first_offset: int
    genesis: Sha256
    next_seq: int
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StitchState:
    """The chains of one source that may still grow, least recently closed first."""

    chains: dict[RecordingId, FollowedChain] = field(default_factory=dict)


def follow(state: StitchState, link: LinkAppended, offset: int, remembered: int) -> tuple[StitchState, int | None]:
    """Take note of *link* at *offset*; returns the next state and, for a new close, the offset its chain begins at.

    *remembered* closed chains are kept for a later reopening. Raises :class:`HistoryMissing` when links are missing
    between what was seen of the recording and this one.
    """
    chain = state.chains.get(link.recording_id)
    if link.kind == "genesis":
        if chain is not None and chain.genesis == link.hash:
            return state, None
        chain = FollowedChain(first_offset=offset, genesis=link.hash, next_seq=link.seq, closed=False)
    if chain is None:
        raise HistoryMissing(f"links are missing: expected the genesis, found link {link.seq} ({link.recording_id})")
    if link.seq < chain.next_seq:
        return state, None
    if link.seq > chain.next_seq:
        raise HistoryMissing(
            f"links are missing: expected link {chain.next_seq}, found link {link.seq} ({link.recording_id})"
        )
    closes = link.kind == "close"
    chains = {name: entry for name, entry in state.chains.items() if name != link.recording_id}
    chains[link.recording_id] = replace(chain, next_seq=link.seq + 1, closed=closes)
    if closes:
        closed = [name for name, entry in chains.items() if entry.closed]
        for name in closed[: max(0, len(closed) - remembered)]:
            del chains[name]
    return StitchState(chains=chains), chain.first_offset if closes else None


def chain_of(history: Iterable[LinkAppended], close: LinkAppended) -> tuple[LinkAppended, ...]:
    """The links of *close*'s chain up to it, repeats and other recordings' links left out.

    Raises :class:`HistoryMissing` when *history* does not hold all of them.
    """
    links: list[LinkAppended] = []
    for link in history:
        if link.recording_id != close.recording_id:
            continue
        if link.kind == "genesis" and (not links or links[0].hash != link.hash):
            links = [link]
        elif links and link.seq == links[-1].seq + 1:
            links.append(link)
        if links and links[-1].seq == close.seq and links[-1].hash == close.hash:
            return tuple(links)
    found = links[-1].seq if links else "none"
    raise HistoryMissing(f"links are missing: expected them up to {close.seq}, found {found} ({close.recording_id})")


# -- reading the links ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedSegment:
    """A segment as its link states it. ``repeat``: its bytes are those of an earlier segment of the recording."""

    link: LinkAppended
    record: dict[str, Any]
    original: ObjectRef
    facts: MediaFacts
    start: WallMs | None
    end: WallMs | None
    repeat: bool


def segments_of(links: Sequence[LinkAppended]) -> tuple[ChainedSegment, ...]:
    """The segments that *links* hold, in timeline order: by wall start, the unplaced last, then in order of receipt."""
    found: list[ChainedSegment] = []
    seen: set[str] = set()
    for link in links:
        if link.kind not in ("segment", "late"):
            continue
        if link.facts is None:
            raise HistoryMissing(
                f"a segment's link carries its facts, found none (link {link.seq} of {link.recording_id})"
            )
        record = json.loads(link.record)
        original = original_in(record)
        found.append(
            ChainedSegment(
                link=link,
                record=record,
                original=original,
                facts=link.facts,
                start=_instant(record["wall_start"]),
                end=_instant(record["wall_end"]),
                repeat=original.sha256 in seen,
            )
        )
        seen.add(original.sha256)
    return tuple(sorted(found, key=lambda item: (item.start is None, item.start or 0, item.link.seq)))


def originals_of(segments: Iterable[ChainedSegment]) -> tuple[ObjectRef, ...]:
    """Each distinct original once, in the order of *segments*."""
    first: dict[Sha256, ObjectRef] = {}
    for segment in segments:
        first.setdefault(segment.original.sha256, segment.original)
    return tuple(first.values())


def account_of(links: Sequence[LinkAppended]) -> RecordingEnded:
    """The account that the last link, a close, carries."""
    ended = links[-1].ended
    if ended is None:
        raise HistoryMissing(f"a close carries the recording's account, found none ({links[-1].recording_id})")
    return ended


def original_in(record: Mapping[str, Any]) -> ObjectRef:
    """The original that a segment's record states."""
    content, stored = record["content"], record["object"]
    return ObjectRef(
        bucket=stored["bucket"],
        key=stored["key"],
        version_id=stored["version_id"],
        sha256=Sha256(content["sha256"]),
        size_bytes=int(content["length"]),
    )


def _instant(text: str | None) -> WallMs | None:
    return None if text is None else from_rfc3339(text)


# -- the documents -------------------------------------------------------------------------------------------------------


def documents(links: Sequence[LinkAppended], software: str) -> tuple[tuple[DocumentName, bytes], ...]:
    """The documents of the chain *links*, whose last one is a close; the manifest, which names the others, comes last."""
    account = account_of(links)
    segments = segments_of(links)
    placed = tuple(
        Placed(original=item.original, facts=item.facts, start=item.start, end=item.end)
        for item in segments
        if not item.repeat
    )
    others: tuple[tuple[DocumentName, bytes], ...] = (
        ("chain.jsonl", b"".join(canonical(_line(link)) + b"\n" for link in links)),
        ("timeline.json", canonical(_timeline(account, segments))),
        ("playlist.m3u8", playlist(placed, account.gaps).encode()),
    )
    manifest = _manifest(links, account, segments, software)
    manifest["documents"] = [
        {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for name, data in others
    ]
    return (*others, ("manifest.json", canonical(manifest)))


def _line(link: LinkAppended) -> dict[str, Json]:
    line: dict[str, Json] = {"kind": link.kind, "seq": link.seq, "record": link.record, "hash": link.hash}
    if link.facts is not None:
        line["facts"] = plain(link.facts)
    return line


def _timeline(account: RecordingEnded, segments: Sequence[ChainedSegment]) -> dict[str, Json]:
    return {
        "format": TIMELINE_FORMAT,
        "recording_id": account.recording_id,
        "revision": account.revision,
        "started_at": plain(account.started_at),
        "ended_at": plain(account.ended_at),
        "runs": plain(account.runs),
        "gaps": plain(account.gaps),
        "segments": [
            {
                "seq": item.link.seq,
                "sha256": item.original.sha256,
                "wall_start": item.record["wall_start"],
                "wall_end": item.record["wall_end"],
                "repeat": item.repeat,
                "media": [
                    {
                        "stream": stream.index,
                        "kind": stream.kind,
                        "time_base": f"{stream.time_base_num}/{stream.time_base_den}",
                        "first_ticks": stream.first_ticks,
                        "last_ticks": stream.last_ticks,
                        "interval_ticks": stream.median_interval_ticks,
                    }
                    for stream in item.facts.streams
                ],
            }
            for item in segments
        ],
    }


def _manifest(
    links: Sequence[LinkAppended], account: RecordingEnded, segments: Sequence[ChainedSegment], software: str
) -> dict[str, Json]:
    first, last = links[0], links[-1]
    closes = [link for link in links if link.kind == "close"]
    return {
        "format": MANIFEST_FORMAT,
        "software": software,
        "recording_id": account.recording_id,
        "source_id": account.source_id,
        "source_kind": account.source_kind,
        "unit": account.unit,
        "revision": account.revision,
        "policy_version": account.policy_version,
        "account": plain(account),
        "chain": {"genesis": first.hash, "head": last.hash, "close_seq": last.seq, "links": len(links), "closed": True},
        "earlier_closes": [{"seq": link.seq, "hash": link.hash} for link in closes[:-1]],
        "originals": [_listed_original(item) for item in segments if not item.repeat],
        "segments": [_listed_segment(item) for item in segments],
        "clocks": plain(disagreements(reading for item in segments for reading in _readings(item))),
        "statements": [
            {
                "kind": link.kind,
                "seq": link.seq,
                "hash": link.hash,
                "record": json.loads(link.record),
                "disclosed": plain(link.disclosed),
            }
            for link in links
            if link.kind in ("explanation", "metadata")
        ],
    }


def _listed_original(item: ChainedSegment) -> Json:
    facts = item.facts
    return {
        **_object(item.original),
        "sm3": item.record["content"]["sm3"],
        "chunk_root": item.record["content"]["chunk_root"],
        "media": facts.media,
        "container": facts.container,
        "reader": facts.reader,
        "streams": plain(facts.streams),
        "identities": plain(facts.identities),
        "clocks": plain(facts.clocks),
        "init_bytes": facts.init_bytes,
        "not_playable_in_place": unplayable(facts),
    }


def _readings(item: ChainedSegment) -> Iterable[Reading]:
    """What the clocks say of a segment; nothing to compare them with if it was not placed."""
    if item.start is None or item.end is None:
        return ()
    claimed = item.record["claimed"]
    return readings(
        start=item.start,
        end=item.end,
        claimed_start=_claim(claimed["start"]),
        claimed_end=_claim(claimed["end"]),
        clock_offset_ms=claimed["clock_offset_ms"],
        received_at=from_rfc3339(item.record["received_at"]),
        facts=item.facts,
    )


def _claim(claim: dict[str, Any] | None) -> ClaimedTime | None:
    return None if claim is None else ClaimedTime(**{**claim, "at": from_rfc3339(claim["at"])})


def _object(ref: ObjectRef) -> dict[str, Json]:
    return {
        "bucket": ref.bucket,
        "key": ref.key,
        "version_id": ref.version_id,
        "sha256": ref.sha256,
        "size_bytes": ref.size_bytes,
    }


_STATED: Final = (
    "original_name",
    "connector",
    "announcement",
    "received_at",
    "wall_start",
    "wall_end",
    "facts_sha256",
    "probe_version",
)


def _listed_segment(item: ChainedSegment) -> Json:
    """The segment's own statements, copied from its record."""
    claimed = item.record["claimed"]
    stated: dict[str, Json] = {name: item.record[name] for name in _STATED}
    return {
        **stated,
        "claimed_start": claimed["start"],
        "claimed_end": claimed["end"],
        "clock_offset_ms": claimed["clock_offset_ms"],
        "sequence": claimed["sequence"],
        "run": claimed["run"],
        "seq": item.link.seq,
        "kind": item.link.kind,
        "hash": item.link.hash,
        "sha256": item.original.sha256,
        "repeat": item.repeat,
    }
