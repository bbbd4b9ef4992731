"""Hostile: files made to trip a reader, and what each is. None is a recording, and each must be told so in words."""

from __future__ import annotations

import struct
from pathlib import Path


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


_FTYP = _box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2mp41")
_EBML = bytes.fromhex("1a45dfa3934286810142f7810142f2810442f381084282886d6174726f736b61")
_UNKNOWN = b"\x01" + b"\xff" * 7


def _counts(kind: bytes) -> bytes:
    """A sample table that claims four thousand million entries and holds none."""
    table = _box(kind, struct.pack(">II", 0, 0xFFFFFFFF))
    media = _box(b"minf", _box(b"stbl", table))
    handler = _box(b"hdlr", bytes(8) + b"vide" + bytes(13))
    head = _box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 90_000, 0, 0))
    track = _box(b"trak", _box(b"tkhd", bytes(84)) + _box(b"mdia", head + handler + media))
    return _FTYP + _box(b"moov", _box(b"mvhd", bytes(100)) + track) + _box(b"mdat", bytes(64))


def _nested(kind: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = _box(kind, body)
    return body


def write(folder: Path, packets: bytes) -> list[str]:
    """Every hostile file; *packets* are those of a transport stream. Returns their names."""
    secret = folder.parent / "secret.mp4"
    secret.write_bytes(b"nobody asked for this file")
    files = {
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
        "playlist.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{secret}\n#EXT-X-ENDLIST\n".encode(),
        "dash.mp4": b'<?xml version="1.0"?><MPD><Period><BaseURL>file:/dev/zero</BaseURL></Period></MPD>',
        "session.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "text.ts": b"this is a letter, not a recording\n" * 50,
        "empty.mp4": b"",
        "one.mp4": b"\x00",
        "zeros.ts": bytes(50_000),
        "sync.ts": b"\x47" * 50_000,
        "three.ts": packets[: 3 * 188],
        "tables.ts": (b"\x47\x40\x00\x10" + b"\xff" * 184) * 40,
        "sizes.mp4": _counts(b"stsz"),
        "times.mp4": _counts(b"stts"),
        "chunks.mp4": _counts(b"co64"),
        "tiny.mp4": _FTYP + _box(b"free", b"") * 10_000,
        "tiny_inside.mp4": _FTYP + _box(b"moov", _box(b"free", b"") * 10_000),
        "deep.mp4": _FTYP + _nested(b"moov", 2000),
        "deep_track.mp4": _FTYP + _box(b"moov", _nested(b"trak", 2000)),
        "large.mp4": _FTYP + struct.pack(">I4sQ", 1, b"mdat", 1 << 62),
        "zero_box.mp4": _FTYP + struct.pack(">I4s", 0, b"moov"),
        "small_box.mp4": _FTYP + struct.pack(">I4s", 4, b"moov") * 100,
        "unknown.mkv": _EBML + b"\x18\x53\x80\x67" + _UNKNOWN + (b"\x1f\x43\xb6\x75" + _UNKNOWN) * 3000,
        "unknown_segment.mkv": _EBML + (b"\x18\x53\x80\x67" + _UNKNOWN) * 3000,
        "size.mkv": _EBML + b"\x18\x53\x80\x67\x08" + b"\xff" * 8,
        "chunks.avi": b"RIFF\xff\xff\xff\x7fAVI " + b"LIST\x00\x00\x00\x00" * 5000,
        "list.avi": b"RIFF\x00\x00\x00\x00AVI LIST\xff\xff\xff\xffhdrl",
        "wave.wav": b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        "pages.ogg": (b"OggS\x00\x02" + bytes(20) + b"\xff" + b"\xff" * 255) * 20,
        "header.flac": b"fLaC" + b"\x00\x00\x00\x22" + b"\xff" * 34,
        "tag.mp3": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(100),
        "zip.mp4": b"PK\x03\x04" + bytes(500),
        "page.mp4": b"<!DOCTYPE html><html><body>404</body></html>",
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "folder.mp4").mkdir()
    return [*files]
