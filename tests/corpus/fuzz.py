"""Fuzz: files of a few kilobytes, damaged in every way a seed can think of, read in the media pool with its limits.

Three things must hold for each: the process that reads it ends well or at its memory limit, the answer comes within the
limit, and it is not called continuous where the damage can be known. What can be known is decided by the bytes alone, without our readers:

* a box, element, chunk or packet at the top level of the file that goes beyond its end or has an impossible size;
* a transport packet left over at the end, or a continuity counter that does not follow while both its neighbours are whole
  packets of one stream that announces nothing;
* a file without a single sample.

A byte changed inside a picture leaves no such trace, and nothing is asked then: continuity says nothing about content.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.adapters.media_pool import MediaPool
from pipeline.domain.check import FileRead, check
from pipeline.domain.errors import ProbeDied
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.policy import load_policy
from tests import clips
from tests.corpus.cases import BASE_MS

SEED: Final = 733
LIMIT_S: Final = 10
MEMORY_BYTES: Final = 512 << 20
_PICTURE: Final = ["-f", "lavfi", "-i", "testsrc=size=32x32:rate=25"]
_TONE: Final = ["-f", "lavfi", "-i", "sine=sample_rate=16000"]
_H264: Final = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "10", "-crf", "45"]
_AAC: Final = ["-c:a", "aac", "-b:a", "16k", "-ac", "1"]
_EXACT: Final = ["-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
SOURCES: Final[Mapping[str, list[str]]] = {
    "ts": [*_PICTURE, *_TONE, *_H264, *_AAC],
    "mp4": [*_PICTURE, *_TONE, *_H264, *_AAC, "-movflags", "faststart"],
    "fmp4": [*_PICTURE, *_TONE, *_H264, *_AAC, *clips.FRAGMENTED, "-f", "mp4"],
    "mkv": [*_PICTURE, *_TONE, *_H264, *_AAC],
    "avi": [*_PICTURE, *_TONE, "-c:v", "mpeg4", "-q:v", "20", "-c:a", "libmp3lame", "-b:a", "16k", "-ac", "1"],
    "m4a": [*_TONE, *_AAC],
    "mp3": [*_TONE, "-c:a", "libmp3lame", "-b:a", "16k", "-ac", "1"],
    "wav": [*_TONE, "-c:a", "pcm_alaw", "-ar", "8000"],
    "ogg": [*_TONE, "-c:a", "libopus", "-b:a", "16k", "-ac", "1"],
    "flac": [*_TONE, "-c:a", "flac", "-ar", "8000"],
}
"""Containers with what makes their source."""


@dataclass(slots=True)
class Tally:
    """What became of one container's files. ``refused``: a count in the file asked for more memory than a process gets, which
    is said of the file; ``died``: any other end of the process; ``hidden``: called continuous although damage was knowable."""

    files: int = 0
    knowable: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    died: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


def sources(folder: Path) -> dict[str, bytes]:
    made = {}
    for name, options in SOURCES.items():
        path = folder / f"source.{name}"
        clips.ffmpeg(
            *options[: 4 * options.count("lavfi")],
            "-t",
            "3" if name in ("ogg", "flac") else "0.8",
            *options[4 * options.count("lavfi") :],
            *_EXACT,
            str(path),
        )
        made[name] = path.read_bytes()
    return made


def mutations(container: str, sources: Mapping[str, bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """*count* damaged copies with their names, the same for the same seed."""
    for number in range(count):
        rng = random.Random(f"{SEED}/{container}/{number}")
        kind = _KINDS[number % len(_KINDS)]
        yield f"{container}-{number}-{kind.__name__[1:]}", kind(sources[container], rng, sources)


def _bits(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _head_bits(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    """Where formats keep their sizes and counts: at the beginning."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        changed[rng.randrange(min(len(data), 700))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _run(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 16, 100, 400))
    filling = rng.choice((b"\x00" * length, b"\xff" * length, rng.randbytes(length)))
    return (data[:at] + filling + data[at + length :])[: len(data)]


def _cut(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    return data[: rng.randrange(1, len(data))]


def _gone(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    """Something from the middle left out: whole packets of a transport stream, any bytes of another file."""
    if data[::188][:3] == b"GGG":
        count = len(data) // 188
        at, length = rng.randrange(1, count), rng.choice((1, 1, 2, 5, 15))
        return data[: at * 188] + data[(at + length) * 188 :]
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 50, 300))
    return data[:at] + data[at + length :]


def _more(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice((1, 4, 100, 188, 600))) + data[at:]


def _size(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    """A number of four bytes that may be a size or a count made something else, big or little endian."""
    places = [
        at for at in range(0, len(data) - 4) if data[at : at + 2] == b"\x00\x00" or data[at + 2 : at + 4] == b"\x00\x00"
    ]
    at = rng.choice(places or [0])
    value = rng.choice((0, 1, 7, 8, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, rng.randrange(1 << 32), rng.randrange(1 << 16)))
    return data[:at] + value.to_bytes(4, rng.choice(("big", "little"))) + data[at + 4 :]


def _spliced(data: bytes, rng: random.Random, sources: Mapping[str, bytes]) -> bytes:
    """The beginning of one file and the end of another, of its own kind or not."""
    other = data if rng.random() < 0.5 else sources[rng.choice(sorted(sources))]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


_KINDS: Final[tuple[Callable[[bytes, random.Random, Mapping[str, bytes]], bytes], ...]] = (
    _bits, _head_bits, _run, _cut, _gone, _more, _size, _spliced,
)  # fmt: skip


# What can be known, by the bytes alone.


def knowable(container: str, data: bytes) -> bool:
    if container in ("mp4", "fmp4", "m4a"):
        return _boxes_broken(data)
    if container == "mkv":
        return _elements_broken(data)
    if container in ("avi", "wav"):
        return data[:4] == b"RIFF" and 8 + int.from_bytes(data[4:8], "little") > len(data)
    if container == "ogg":
        return _pages_broken(data)
    return container == "ts" and _packets_broken(data)


def _boxes_broken(data: bytes) -> bool:
    """ISO/IEC 14496-12 4.2: a size that ends beyond the file, or is less than its own header."""
    at = 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if size == 0:
            return False
        if size < head or at + size > len(data):
            return True
        at += size
    return at != len(data)


def _elements_broken(data: bytes) -> bool:
    """RFC 8794 6: the segment of a file that was finished says how long it is."""
    at = data.find(b"\x18\x53\x80\x67")
    if at < 0 or at + 12 > len(data):
        return False
    first = data[at + 4]
    if not first:
        return False
    length = 9 - first.bit_length()
    size = int.from_bytes(data[at + 4 : at + 4 + length], "big") & ~(1 << (7 * length))
    return size != (1 << (7 * length)) - 1 and at + 4 + length + size > len(data)


def _pages_broken(data: bytes) -> bool:
    """RFC 3533 6: pages of the one stream without a rest, numbered, the last one marked."""
    at, number, marked = 0, 0, False
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        if int.from_bytes(data[at + 18 : at + 22], "little") != number:
            return True
        number, marked = number + 1, bool(data[at + 5] & 4)
        at += 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
    return number > 0 and (at != len(data) or not marked)


def _packets_broken(data: bytes) -> bool:
    """ISO/IEC 13818-1 2.4.3.3, where every packet has its sync byte: a rest at the end, a counter that does not follow."""
    whole = len(data) // 188
    if any(data[at * 188] != 0x47 for at in range(whole)):
        return False
    if len(data) % 188:
        return True
    last: dict[int, tuple[int, bytes]] = {}
    for packet in clips.packets(data):
        pid, counter = clips.pid(packet), packet[3] & 0x0F
        if (
            pid not in (clips.VIDEO_PID, clips.AUDIO_PID)
            or not clips.has_payload(packet)
            or packet[1] & 0x80
            or packet[3] & 0xC0
        ):
            continue
        if packet[3] & 0x20 and packet[4] and packet[5] & 0x80:
            return False
        before = last.get(pid)
        if before and counter != (before[0] + 1) % 16 and counter != before[0]:
            return True
        last[pid] = counter, packet
    return False


# Reading.


def run(container: str, sources: Mapping[str, bytes], count: int, pool: MediaPool, folder: Path) -> Tally:
    return asyncio.run(_run_all(container, sources, count, pool, folder))


async def _run_all(container: str, sources: Mapping[str, bytes], count: int, pool: MediaPool, folder: Path) -> Tally:
    policy, tally, places = load_policy(None), Tally(), asyncio.Semaphore(8)

    async def one(name: str, data: bytes) -> None:
        path = folder / name
        async with places:
            path.write_bytes(data)
            try:
                facts = await pool.facts(path, policy.tolerance["body_camera"])
            except ProbeDied as exc:
                if "memory" in str(exc):
                    tally.refused += 1
                else:
                    tally.died.append(f"{name}: {exc}")
                return
            finally:
                path.unlink()
        digest = Sha256(hashlib.sha256(data).hexdigest())
        file = FileRead(name=name, sha256=digest, size_bytes=len(data), facts=facts)
        verdict = check(name, [file], [], "body_camera", WallMs(BASE_MS), policy).verdict
        tally.verdicts[verdict] += 1
        if known := knowable(container, data):
            tally.knowable += 1
        if verdict == "continuous" and (known or not any(stream.packets for stream in facts.streams)):
            tally.hidden.append(name)

    waiting: set[asyncio.Task[None]] = set()
    for name, data in mutations(container, sources, count):
        tally.files += 1
        waiting.add(asyncio.create_task(one(name, data)))
        if len(waiting) >= 64:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*waiting)
    return tally


def pooled(processes: int = 2) -> MediaPool:
    return MediaPool(processes=processes, timeout_s=LIMIT_S, memory_bytes=MEMORY_BYTES)


def every(count: int) -> Iterator[tuple[str, Tally]]:
    """*count* files of each container."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        made, pool = sources(Path(folder)), pooled()
        try:
            for container in SOURCES:
                yield container, run(container, made, count, pool, Path(folder))
        finally:
            pool.close()
