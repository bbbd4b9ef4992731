"""Derivative: a copy of an original's streams in packaging that browsers play, and the document that proves it is one.

Article 10 keeps originals as they are; a derivative is a new object beside them that names the digest of its original and
can be made anew from it at any time. It is never evidence, so it lies where nothing is locked. Rule 1: each stream that
was copied has its payload digest (:mod:`pipeline.domain.payload`), found in the original and found again in the
copy; copies in which they differ are not kept. Rule 2: what was left out is named. Rule 3: the document says which bytes start a player
and where it can begin, so that a long file is loaded in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.domain.canonical import canonical, plain
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.payload import PayloadDigest

FORMAT: Final = "unbroken.derivative.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedStream:
    """A stream in both files. ``codec``: as the reader names it."""

    kind: str
    codec: str
    payload: PayloadDigest


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A stream of the original that the copy has not, as no browser plays it or another of its kind is shown."""

    kind: str
    codec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes that can be played by themselves behind the first ``init_bytes``, and how long they last."""

    offset: int
    size_bytes: int
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copier made of one file. ``made_by``: rules and library; equal bytes give equal copies under one version."""

    streams: tuple[CopiedStream, ...]
    left_out: tuple[LeftOut, ...]
    init_bytes: int
    pieces: tuple[Piece, ...]
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivative:
    """A copy that is kept: *derived* was made of *original*."""

    original: ObjectRef
    derived: ObjectRef
    copied: Copied


def document_key(original: Sha256) -> str:
    """Where the document about the derivative of an original lies in the bucket of derived objects."""
    return f"playable/{original[:2]}/{original}.json"


def derived_key(derived: Sha256) -> str:
    """Where a derivative lies there: its name is its own digest."""
    return f"sha256/{derived[:2]}/{derived}.mp4"


def derivative_document(derivative: Derivative) -> bytes:
    """The document as canonical JSON."""
    return canonical(
        {
            "format": FORMAT,
            "original": plain(derivative.original),
            "derived": plain(derivative.derived),
            "copied": plain(derivative.copied),
        }
    )
