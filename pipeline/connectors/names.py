"""Names: what a file's name, place and date claim, and whether it is taken for a recording at all.

Claims, not facts: everything here is kept apart from what the bytes say. A name that says nothing claims nothing but the
file system's date, and says so.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from pipeline.domain.identity import RecordingId, SourceId, SourceKind, block_recording_id, recording_id
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs

MEDIA: Final = frozenset(
    [
        "mp4",
        "m4v",
        "m4s",
        "cmfv",
        "cmfa",
        "mov",
        "qt",
        "ts",
        "m2ts",
        "mts",
        "m2t",
        "mkv",
        "webm",
        "avi",
        "flv",
        "wmv",
        "asf",
        "mpg",
        "mpeg",
        "vob",
        "ps",
        "dav",
        "3gp",
        "3g2",
        "h264",
        "264",
        "h265",
        "265",
        "hevc",
        "mxf",
        "m4a",
        "aac",
        "mp3",
        "wav",
        "flac",
        "ogg",
        "oga",
        "opus",
        "amr",
        "wma",
        "aif",
        "aiff",
        "jpg",
        "jpeg",
        "png",
        "heic",
        "heif",
        "tif",
        "tiff",
        "bmp",
        "webp",
        "dng",
    ]
)
"""A file named so is always taken, whatever it holds: the bytes are judged later, and nothing is lost meanwhile."""
_SIDE: Final = {
    "thm": "a thumbnail, not a recording",
    "lrv": "a preview copy, not a recording",
    "part": "unfinished by its name",
    "tmp": "unfinished by its name",
    "filepart": "unfinished by its name",
    "crdownload": "unfinished by its name",
}
_SIGNATURES: Final = (
    (4, b"ftyp"),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"RIFF"),
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"ID3"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"#!AMR"),
    (0, b"FLV\x01"),
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF
    (0, b"DHAV"),
)
_APPLE_DOUBLE: Final = b"\x00\x05\x16\x07"
"""RFC 1740: macOS writes these on cards it mounts, each under the name of a recording with ``._`` before it."""
_TS_PACKET: Final = 188

_DATE: Final = r"((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
_CLOCK: Final = r"([01]\d|2[0-3])[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?:[.,](\d{1,3}))?"
_STAMP: Final = re.compile(rf"(?<!\d){_DATE}[Tt _-]?{_CLOCK}(?!\d)([Zz])?")
_TRAILING: Final = re.compile(r"(\d{1,9})\D*$")
_ID_OK: Final = re.compile(r"[A-Za-z0-9._-]+")
MAX_ID: Final = 96
_DATE_ERROR_MS: Final = 2000
"""A file's date is kept to 2 s by the file system most cards have (FAT), and tells when writing ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a recorder names its files. ``numbered``: the last number of the name counts the files. ``runs``: the folder
    names the recorder's run, and a restart begins another. ``error_ms``: how far a stamp in whole seconds may be off."""

    name: str
    about: str
    numbered: bool = False
    runs: bool = False
    error_ms: int = 1000


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(name="auto", about="a date and time in the name, else the file's date"),
        Profile(name="numbered", about="as auto, and the name's last number counts the files", numbered=True),
        Profile(name="runs", about="as auto, and each folder is one run of the recorder", runs=True, error_ms=5000),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What name, place and date say of a file."""

    start: ClaimedTime | None
    sequence: int | None
    run: str | None


def read_claims(path: Path, mtime_ns: int, profile: Profile, zone: tzinfo) -> Claims:
    """The claims of a file; *zone* is that of times in names that do not end in ``Z``."""
    stem = text_of(path.stem)
    stamp = _STAMP.search(stem)
    start = _stamped(stamp, zone, profile.error_ms) if stamp else None
    number = _TRAILING.search(stem[: stamp.start()] + stem[stamp.end() :] if stamp else stem)
    return Claims(
        start=start or _dated(mtime_ns),
        sequence=int(number[1]) if profile.numbered and number else None,
        run=text_of(path.parent.name) if profile.runs else None,
    )


def refusal(path: Path, head: bytes) -> str | None:
    """Why the file at *path*, beginning with *head*, is not taken for a recording; ``None`` if it is."""
    if path.name.startswith("._") and head.startswith(_APPLE_DOUBLE):
        return "a note macOS leaves beside a file, not a recording"
    extension = path.suffix.lower().removeprefix(".")
    if extension in MEDIA:
        return None
    if extension in _SIDE:
        return _SIDE[extension]
    if _looks_like_media(head):
        return None
    return f"not media by its name ({path.suffix or 'no extension'}) nor by its first bytes"


def recording_of(
    source: SourceId, kind: SourceKind, path: Path, start: ClaimedTime | None, block_s: int, seen_at: WallMs
) -> RecordingId:
    """The recording a file belongs to when nobody named one: a fixed camera's block by its start, else its folder."""
    if kind == "cctv":
        return block_recording_id(source, start.at if start else seen_at, block_s)
    folder = text_of(path.parent.name) or "root"
    slug = "-".join(_ID_OK.findall(folder)).strip("-")
    if slug == folder and len(source) + len(slug) < MAX_ID:
        return recording_id(f"{source}-{slug}")
    digest = hashlib.sha256(f"{source}/{folder}".encode()).hexdigest()[:12]
    return recording_id(f"{source[:50]}-{slug[:30].strip('-') or 'folder'}-{digest}")


def text_of(path: Path | str) -> str:
    """A path as text anyone can write down; bytes that are no UTF-8 become ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def natural(path: Path) -> tuple[object, ...]:
    """Sort key: parts of a path with their numbers as numbers, so that 2 comes before 10."""
    parts = re.split(r"(\d+)", text_of(path))
    return tuple((0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts)


def _looks_like_media(head: bytes) -> bool:
    transport_stream = head[::_TS_PACKET][:3] == b"\x47" * 3  # the sync byte of three packets
    return transport_stream or any(head.startswith(magic, at) for at, magic in _SIGNATURES)


def _stamped(stamp: re.Match[str], zone: tzinfo, error_ms: int) -> ClaimedTime | None:
    year, month, day, hour, minute, second = (int(part) for part in stamp.groups()[:6])
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC if stamp[8] else zone)
    except ValueError:  # a day that does not exist
        return None
    at_ms = int(at.timestamp()) * 1000 + int((stamp[7] or "0").ljust(3, "0"))
    if at_ms < 0:
        return None
    return ClaimedTime(at=WallMs(at_ms), origin="file_name", error_ms=1 if stamp[7] else error_ms)


def _dated(mtime_ns: int) -> ClaimedTime | None:
    at_ms = mtime_ns // 1_000_000
    if not 0 <= at_ms <= MAX_WALL_MS:
        return None
    return ClaimedTime(at=WallMs(at_ms), origin="file_system", error_ms=_DATE_ERROR_MS)
