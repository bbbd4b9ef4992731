"""Excerpt: a part of an original that proves where it comes from, without the rest.

An excerpt is whole chunks (:mod:`pipeline.domain.chunks`) around the bytes that are wanted, and the proof that they belong to
a file with a certain root. That root stands in a segment's link, the link's chain ends in a close, the receipt signs the
close. Rules:

1. Each of the three steps is answered by itself; what was not handed in is NOT COVERED and never PASS.
2. A chain alone is checked without what its manifest would hold beside it: accounts and metadata are not needed to follow
   the hashes, and whoever gets an excerpt need not see them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pipeline.domain.archive import RecordingArchived
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.chain import LinkAppended, verify
from pipeline.domain.chunks import CHUNK_BYTES, chunk_count, proof, proven_root, root
from pipeline.domain.identity import Sha256, sha256
from pipeline.domain.time import to_rfc3339

EXCERPT_FORMAT: Final = "unbroken.excerpt.v1"
Result = Literal["pass", "fail", "not_covered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Whole chunks of an original and their proof, without the bytes. ``sha256``, ``length``, ``chunk_root``: of the original,
    as its link states them. ``first_byte`` to ``last_byte`` are in the excerpt, both included. ``proof`` in hex."""

    sha256: Sha256
    length: int
    chunk_root: Sha256
    first_byte: int
    last_byte: int
    proof: tuple[Sha256, ...]

    def __post_init__(self) -> None:
        for digest in (self.sha256, self.chunk_root, *self.proof):
            sha256(digest)
        whole = self.first_byte % CHUNK_BYTES == 0 and (
            self.last_byte == self.length - 1 or (self.last_byte + 1) % CHUNK_BYTES == 0
        )
        if not (0 <= self.first_byte <= self.last_byte < self.length and whole):
            found = f"{self.first_byte} to {self.last_byte} of {self.length} bytes"
            raise ValueError(f"expected whole chunks of {CHUNK_BYTES} bytes, found {found}")

    @property
    def first_chunk(self) -> int:
        return self.first_byte // CHUNK_BYTES


def excerpt(digest: Sha256, length: int, leaves: Sequence[bytes], first_byte: int, last_byte: int) -> Excerpt:
    """The excerpt that holds the bytes *first_byte* to *last_byte*, both included, of a file with these leaves.

    Raises ``ValueError`` for bytes the file does not have.
    """
    if not 0 <= first_byte <= last_byte < length:
        raise ValueError(f"expected bytes within 0 to {length - 1}, found {first_byte} to {last_byte}")
    first, last = first_byte // CHUNK_BYTES, last_byte // CHUNK_BYTES
    return Excerpt(
        sha256=digest,
        length=length,
        chunk_root=Sha256(root(leaves).hex()),
        first_byte=first * CHUNK_BYTES,
        last_byte=min((last + 1) * CHUNK_BYTES, length) - 1,
        proof=tuple(Sha256(one.hex()) for one in proof(leaves, first, last)),
    )


def is_proven(told: Excerpt, run: Sequence[bytes]) -> bool:
    """Whether the chunks with the leaves *run* are what *told* says of its original."""
    beside = [bytes.fromhex(one) for one in told.proof]
    found = proven_root(run, told.first_chunk, chunk_count(told.length), beside)
    held = chunk_count(told.last_byte + 1) - told.first_chunk
    return found is not None and found.hex() == told.chunk_root and len(run) == held


def excerpt_document(told: Excerpt) -> bytes:
    """``excerpt.json``: its fields and ``format``, as canonical JSON."""
    fields = plain(told)
    assert isinstance(fields, dict)
    return canonical({"format": EXCERPT_FORMAT, **fields})


# -- checking ------------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What one step came to, in words."""

    check: Literal["bytes", "chain", "receipt"]
    result: Result
    told: str


def check_bytes(told: Excerpt, run: Sequence[bytes]) -> Answer:
    """The excerpt's own bytes, as leaves, against its proof."""
    span = f"bytes {told.first_byte} to {told.last_byte} of {told.length}"
    if is_proven(told, run):
        return Answer("bytes", "pass", f"{span} of a file whose chunks have the root {told.chunk_root}")
    return Answer("bytes", "fail", f"these are not {span} of a file whose chunks have the root {told.chunk_root}")


def check_chain(told: Excerpt, links: Sequence[LinkAppended] | None) -> Answer:
    """Whether a link of the chain *links* states the excerpt's original."""
    if links is None:
        return Answer("chain", "not_covered", "no chain was given: nothing says whose root that is")
    faults = [fault for fault in verify(links) if not (fault.check == 6 and fault.found == "None")]
    if faults:
        first = faults[0]
        why = f"{len(faults)} faults, the first at link {first.seq}: expected {first.expected}, found {first.found}"
        return Answer("chain", "fail", why)
    for link, record in _segments(links):
        content = record["content"]
        if (content["sha256"], content["length"], content["chunk_root"]) == (told.sha256, told.length, told.chunk_root):
            when = f"{record['wall_start']} to {record['wall_end']}"
            whose = f"{record['original_name']!r} of recording {link.recording_id}, {when}"
            return Answer("chain", "pass", f"link {link.seq} states that root: {whose}")
    return Answer(
        "chain", "fail", f"no link states a file of {told.length} bytes with sha256 {told.sha256} and that root"
    )


def _segments(links: Sequence[LinkAppended]) -> Iterator[tuple[LinkAppended, dict[str, dict[str, object]]]]:
    for link in links:
        if link.kind in ("segment", "late"):
            yield link, json.loads(link.record)


def check_receipt(
    told: Excerpt,
    links: Sequence[LinkAppended] | None,
    receipt: RecordingArchived | None,
    keys: Collection[str],
    genuine: bool,
) -> Answer:
    """Whether *receipt* is of that chain and that original; *genuine*: the key it names, one of *keys*, signed it."""
    if receipt is None:
        return Answer("receipt", "not_covered", "no receipt was given: nobody signed for this chain")
    if links and links[-1].hash != receipt.close_hash:
        return Answer("receipt", "fail", f"it is of the close {receipt.close_hash}, the chain ends in {links[-1].hash}")
    if told.sha256 not in {item.object.sha256 for item in receipt.originals}:
        return Answer("receipt", "fail", f"it lists no original with sha256 {told.sha256}")
    if receipt.key_id not in keys:
        return Answer("receipt", "not_covered", f"it names key {receipt.key_id}, which was not given")
    if not genuine:
        return Answer("receipt", "fail", f"it says what key {receipt.key_id} did not sign")
    return Answer("receipt", "pass", f"key {receipt.key_id} signed it at {to_rfc3339(receipt.archived_at)}")
