"""Lists: what a playlist beside the files claims about them, read and not believed.

An HLS media playlist (RFC 8216 and its successor draft-pantos-hls-rfc8216bis) names files in order and may say when each
begins (EXT-X-PROGRAM-DATE-TIME), how long it is (EXTINF), that something is missing (EXT-X-GAP) and that the clock or the
format does not simply go on (EXT-X-DISCONTINUITY). The rules:

1. A time without an offset is of the site's zone. An entry without a time of its own continues its neighbour's by the
   lengths between them, as the draft has clients do it (4.4.4.6), and its error bar grows with their rounding. Behind a
   discontinuity such a time is a guess: nobody says how much time passed there.
2. Only names inside the list's own folder are names of files: addresses, absolute paths and ways out of it are not.
3. A list is a stranger's text. It is read in one pass, in time that grows with its length alone; lines and lists beyond
   any recorder's are passed over and said to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple
from urllib.parse import unquote

from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs

MAX_ENTRIES: Final = 250_000
"""Six days of one-second files. More is no recorder's list."""
_MAX_LINE: Final = 16_384
"""A path of 4096 bytes, each escaped as ``%xx``, and room to spare."""
_MAX_NUMBER: Final = 1 << 53
_MAX_LENGTH_S: Final = 1_000_000
_SHOWN_FAULTS: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_TAG: Final = re.compile(r"#(EXT[A-Z0-9-]*)(?::(.*))?", flags=re.DOTALL)
_ATTRIBUTE: Final = re.compile(r' *([^=,"]*)=("[^"]*"|[^,]*)(?:,|$)', flags=re.DOTALL)
_SECONDS: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]*))? *(?:,.*)?", flags=re.DOTALL)
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))? *([Zz]|[+-][0-9]{2}:?(?:[0-9]{2})?)?"
)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:data|file|blob|urn):", flags=re.IGNORECASE)
_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


class Length(NamedTuple):
    """A stated length, and how far its rounding may put it off."""

    us: int
    error_us: int


class Entry(NamedTuple):
    """One line of the list and what stands before it. ``number``: its media sequence number. ``starts``: when it is said to
    begin; ``stated``: in so many words; ``guessed``: that follows from a time before a discontinuity. ``gap``: said to be missing. ``announced``: a discontinuity is said to lie before it. ``init``: the file that
    describes it. ``ranged``: it is a part of its file. ``cipher``: how the whole file is encrypted."""

    uri: str
    number: int
    length: Length | None = None
    starts: ClaimedTime | None = None
    gap: bool = False
    announced: bool = False
    init: str | None = None
    ranged: bool = False
    cipher: str | None = None
    stated: bool = False
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """A list as it was written. ``variants``: the lists a master playlist names; it has no entries. ``ended``: it says that
    nothing follows. ``faults``: what in it is not as the format has it; what they concern claims nothing."""

    entries: tuple[Entry, ...] = ()
    variants: tuple[str, ...] = ()
    ended: bool = False
    faults: tuple[str, ...] = ()

    @property
    def open_ends(self) -> tuple[str, ...]:
        """What it does not tell of the recording, for people."""
        found = list(self.faults)
        if self.entries and self.entries[0].number > 0:
            found.append(f"it begins with number {self.entries[0].number}: what came before is not in it")
        if not self.ended:
            found.append("it does not say that it ended (EXT-X-ENDLIST): more may have followed")
        return tuple(found)


def read(data: bytes, zone: tzinfo) -> Playlist:
    """The claims of a list; *zone* is that of times without an offset. Never raises: bad lines are faults."""
    reading = _Reading(zone)
    lines = _lines(data.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
    first = next(lines, "")
    if not re.fullmatch(r"#EXTM3U\s*", first):
        return Playlist(faults=(f"line 1: expected #EXTM3U, found {first[:40]!r}",))
    for number, line in enumerate(lines, start=2):
        if len(reading.entries) == MAX_ENTRIES:
            reading.fault(number, f"at most {MAX_ENTRIES} entries", "more; the rest is not looked at")
            break
        reading.line(number, line)
    return reading.done()


def inside(uri: str) -> tuple[str, ...]:
    """The paths an entry may mean, relative to the list's folder and within it: as written, then as RFC 3986 unescapes it.
    Empty if it leads anywhere else."""
    if _ADDRESS.match(uri):
        return ()
    spelled = dict.fromkeys([uri, unquote(re.split(r"[?#]", uri, maxsplit=1)[0], errors="surrogateescape")])
    found = [_within(path) for path in spelled]
    return tuple(path for path in found if path) if all(found) else ()


def _within(path: str) -> str | None:
    if _ABSOLUTE.match(path) or "\0" in path:
        return None
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or None


def _lines(text: str) -> Iterator[str]:
    """Its lines, one at a time: a list of them would weigh many times the text."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end].strip(" \t\r")
        at = end + 1


@dataclass(slots=True)
class _Reading:
    """A list half read: what is known, and what the lines so far say of the next entry."""

    zone: tzinfo
    entries: list[Entry] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0
    ended: bool = False
    number: int = 0
    init: str | None = None
    cipher: str | None = None
    length: Length | None = None
    starts: ClaimedTime | None = None
    gap: bool = False
    announced: bool = False
    ranged: bool = False
    variant: bool = False
    timed: bool = False

    def line(self, number: int, line: str) -> None:
        if len(line) > _MAX_LINE:
            self.fault(number, f"at most {_MAX_LINE} characters", f"{len(line)}; passed over")
        elif line.startswith("#"):
            if tag := _TAG.fullmatch(line):
                self.tag(number, tag[1], tag[2] or "")
        elif line and self.variant:
            self.variants.append(line)
            self.variant = False
        elif line:
            self.entry(number, line)

    def entry(self, number: int, uri: str) -> None:
        if not self.timed:
            self.fault(number, "a length (EXTINF) before every name", "none")
        self.entries.append(
            Entry(
                uri,
                self.number,
                self.length,
                self.starts,
                self.gap,
                self.announced,
                self.init,
                self.ranged,
                self.cipher,
                stated=self.starts is not None,
            )
        )
        self.number += 1
        self.length = self.starts = None
        self.gap = self.announced = self.ranged = self.timed = False

    def tag(self, number: int, name: str, value: str) -> None:
        match name:
            case "EXTINF":
                self.timed, self.length = True, _length(value)
                if self.length is None:
                    self.fault(number, "a length in seconds", value)
            case "EXT-X-PROGRAM-DATE-TIME":
                self.starts = _instant(value, self.zone)
                if self.starts is None:
                    self.fault(number, "a date and time", value)
            case "EXT-X-GAP":
                self.gap = True
            case "EXT-X-DISCONTINUITY":
                self.announced = True
            case "EXT-X-BYTERANGE":
                self.ranged = True
            case "EXT-X-MEDIA-SEQUENCE":
                self.count(number, value, first=True)
            case "EXT-X-SKIP":
                self.count(number, _attributes(value).get("SKIPPED-SEGMENTS", ""), first=False)
            case "EXT-X-MAP":
                self.init = _attributes(value).get("URI")
            case "EXT-X-KEY":
                method = _attributes(value).get("METHOD", "")
                # Only the AES methods encrypt whole files; SAMPLE-AES leaves stamps and boxes as they are (4.4.4.4).
                self.cipher = method if method.startswith("AES") else None
            case "EXT-X-STREAM-INF":
                self.variant = True
            case "EXT-X-MEDIA":
                self.variants += [uri for uri in [_attributes(value).get("URI")] if uri]
            case "EXT-X-ENDLIST":
                self.ended = True
            case _:
                pass  # unknown tags are passed over (6.3.1)

    def count(self, number: int, value: str, *, first: bool) -> None:
        if not re.fullmatch(r"[0-9]{1,16}", value) or int(value) > _MAX_NUMBER or (first and self.entries):
            self.fault(number, "a number before the first entry", value)
        else:
            self.number = int(value) + (0 if first else self.number)

    def fault(self, number: int, expected: str, found: str) -> None:
        if len(self.faults) < _SHOWN_FAULTS:
            self.faults.append(f"line {number}: expected {expected}, found {found[:80]}")
        else:
            self.more_faults += 1

    def done(self) -> Playlist:
        more = [f"and {self.more_faults} more"] if self.more_faults else []
        return Playlist(
            entries=tuple(_continued(self.entries)),
            variants=tuple(self.variants),
            ended=self.ended,
            faults=(*self.faults, *more),
        )


def _attributes(text: str) -> dict[str, str]:
    found, at = {}, 0
    while at < len(text) and (match := _ATTRIBUTE.match(text, at)):
        found[match[1]] = match[2].strip('"')
        at = match.end()
    return found


def _length(text: str) -> Length | None:
    match = _SECONDS.fullmatch(text)
    if not match or int(match[1]) > _MAX_LENGTH_S:
        return None
    decimals = (match[2] or "")[:6]
    return Length(int(match[1]) * 1_000_000 + int(decimals.ljust(6, "0")), 500_000 // 10 ** len(decimals))


def _instant(text: str, zone: tzinfo) -> ClaimedTime | None:
    match = _INSTANT.fullmatch(text)
    if not match:
        return None
    day, clock, decimals, offset = match[1], match[2], (match[3] or "")[:3], match[4]
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
        at_ms = ((at if offset else at.replace(tzinfo=zone)) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):  # a day that does not exist, or year 0001 east of Greenwich
        return None
    at_ms += int(decimals.ljust(3, "0"))
    if not 0 <= at_ms <= MAX_WALL_MS:
        return None
    return ClaimedTime(at=WallMs(at_ms), origin="playlist", error_ms=10 ** (3 - len(decimals)))


# Times that are not written.


class _Clock(NamedTuple):
    """Where the neighbour's stated time has got to."""

    us: int
    error_us: int


def _continued(entries: Sequence[Entry]) -> list[Entry]:
    """*entries* with the times that follow from the last one stated; before the first, from that."""
    forward: list[Entry] = []
    clock: _Clock | None = None
    guessed = False
    for entry in entries:
        stated = _stated(entry)
        guessed = stated is None and (guessed or entry.announced)
        clock = stated or clock
        forward.append(_at(entry, clock)._replace(guessed=guessed and clock is not None))
        clock = _moved(clock, entry.length, 1)
    backward: list[Entry] = []
    clock = None
    for entry in reversed(forward):
        clock = _stated(entry) or _moved(clock, entry.length, -1)
        backward.append(_at(entry, clock))
        clock = None if entry.announced else clock
    return backward[::-1]


def _stated(entry: Entry) -> _Clock | None:
    return None if entry.starts is None else _Clock(entry.starts.at * 1000, entry.starts.error_ms * 1000)


def _moved(clock: _Clock | None, length: Length | None, by: int) -> _Clock | None:
    if clock is None or length is None:
        return None
    return _Clock(clock.us + by * length.us, clock.error_us + length.error_us)


def _at(entry: Entry, clock: _Clock | None) -> Entry:
    if entry.starts is not None or clock is None or not 0 <= clock.us <= MAX_WALL_MS * 1000:
        return entry
    error_ms = -(-clock.error_us // 1000)
    return entry._replace(starts=ClaimedTime(at=WallMs(clock.us // 1000), origin="playlist", error_ms=error_ms))
