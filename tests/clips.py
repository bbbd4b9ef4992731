"""Clips: short films from a real encoder, and the faults that are cut into copies of them, so that the truth is known."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av

PACKET = 188
VIDEO_PID, AUDIO_PID = 0x100, 0x101
"""Where ffmpeg's muxer puts the first and second stream of a transport stream."""

PICTURE = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"]
B_FRAMES = [*X264, "-bf", "2", "-x264-params", "b-adapt=0:scenecut=0"]
AAC = ["-c:a", "aac", "-b:a", "32k", "-ac", "1"]
FRAGMENTED = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg; its own words when it fails."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def film(path: Path, *options: str, seconds: float = 6) -> Path:
    """A picture with a tone, encoded with *options* (B-frames and AAC unless they say otherwise)."""
    codecs = () if "-c:v" in options else (*B_FRAMES, *AAC)
    ffmpeg(*PICTURE, *TONE, "-t", str(seconds), *codecs, *options, str(path))
    return path


def bars(path: Path, seconds: int) -> Path:
    """Moving bars, ten pictures and a key frame a second, some 25 kB."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size=160x120:rate=10:duration={seconds}", *X264, "-g", "10", str(path))
    return path


def remux(source: Path, target: Path, *options: str) -> Path:
    """The same packets in another container."""
    ffmpeg("-i", str(source), "-c", "copy", *options, str(target))
    return target


def copy_packets(source: Path, target: Path, keep: Callable[[Any, float], bool], **options: str) -> Path:
    """The packets that *keep* (packet, seconds) wants, with their times as they are."""
    with av.open(str(source)) as origin, av.open(str(target), "w", options=options) as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in origin.streams}
        for packet in origin.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if keep(packet, float(packet.pts * packet.time_base)):
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return target


def without(source: Path, target: Path, from_s: float, to_s: float, kind: str | None = None, **options: str) -> Path:
    """A copy with a hole, in one kind of stream or in all."""
    return copy_packets(
        source,
        target,
        lambda packet, at: not (from_s <= at < to_s and kind in (None, packet.stream.type)),
        **options,
    )


def cut(source: Path, target: Path, size_bytes: int) -> Path:
    """The first *size_bytes* of a file: what is left after a power loss."""
    target.write_bytes(source.read_bytes()[:size_bytes])
    return target


# Transport packets.


def packets(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), PACKET):
        yield data[at : at + PACKET]


def pid(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def has_payload(packet: bytes) -> bool:
    return bool(packet[3] & 0x10)


def begins_unit(packet: bytes) -> bool:
    return bool(packet[1] & 0x40)


def without_packets(data: bytes, of_pid: int, numbers: set[int]) -> bytes:
    """Transport packets taken out: those of *of_pid* with a payload that begins no unit, by their count."""
    kept, count = [], -1
    for packet in packets(data):
        if pid(packet) == of_pid and has_payload(packet) and not begins_unit(packet):
            count += 1
            if count in numbers:
                continue
        kept.append(packet)
    return b"".join(kept)


def framed(data: bytes, stride: int) -> bytes:
    """The same packets 192 (time code before) or 204 (parity after) bytes apart."""
    if stride == 192:
        return b"".join(b"\x00\x00\x00\x01" + packet for packet in packets(data))
    return b"".join(packet + bytes(stride - PACKET) for packet in packets(data))


def counted_on(files: list[bytes]) -> list[bytes]:
    """The files with their continuity counters running on from one to the next, as in one stream."""
    counters: dict[int, int] = {}
    result = []
    for data in files:
        kept = []
        for packet in packets(data):
            counter = (counters.get(pid(packet), -1) + has_payload(packet)) % 16
            counters[pid(packet)] = counter
            kept.append(packet[:3] + bytes([packet[3] & 0xF0 | counter]) + packet[4:])
        result.append(b"".join(kept))
    return result
