"""Playable: how a browser can be shown an original: from its own bytes, from a derived copy, or not at all.

Browsers play media through Media Source Extensions, where a player (hls.js) feeds them transport streams, fragmented
MP4 and plain sound. Rule 1: the original itself is shown wherever that works. Rule 2: where only the packaging is in the
way, a *derivative* is made: the same picture and sound copied, unit by unit, into a fragmented MP4; nothing is encoded
anew, and :mod:`pipeline.domain.payload` proves it. Rule 3: sound that no browser decodes is left out of a derivative and
said to be. Rule 4: a picture that no browser decodes has no derivative; it is said to be so, never converted.

What browsers decode was measured in Chromium 156: H.264, AV1, VP9 and AAC, MP3, Opus, FLAC; not AC-3, G.711, PCM, MPEG-2, M-JPEG.
H.265 depends on the machine, so it is passed on and the page says whether it plays there.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from pipeline.domain.probe import MediaFacts, StreamFacts

Way = Literal["in_place", "derived", "none"]

COPIED: Final = {"video": ("h264", "hevc", "av1", "vp9"), "audio": ("aac", "opus", "flac")}
"""What browsers take in fragments, by kind. MP3 is not among it: browsers take it as plain sound only."""
_STREAMED: Final = frozenset({"h264", "hevc", "aac", "mp3"})
"""In a transport stream, unpacked by the player."""
PLAIN: Final = ("aac", "mp3")
"""Containers that are nothing but the coded sound."""


class Playability(NamedTuple):
    """``why``: what keeps the original from being played in place, or from being played at all; empty for ``in_place``."""

    way: Way
    why: str = ""


def playability(facts: MediaFacts) -> Playability:
    """How a browser can be shown the file with these facts."""
    if facts.media != "timed":
        return Playability("none", f"{facts.media}: not timed media")
    shown = [stream for stream in facts.streams if stream.kind != "other" and stream.packets]
    if not any(has_times(stream) for stream in shown):
        return Playability("none", "no stream with usable timestamps")
    why = _not_in_place(facts, shown)
    if not why:
        return Playability("in_place")
    pictures = [stream for stream in shown if stream.kind == "video"]
    wanted = pictures or shown
    if not any(stream.codec in COPIED[stream.kind] and has_times(stream) for stream in wanted):
        return Playability("none", f"no browser plays {_named(wanted)}, and an original is not encoded anew")
    return Playability("derived", why)


def has_times(stream: StreamFacts) -> bool:
    """Whether the stream can be laid on a timeline."""
    return None not in (stream.first_ticks, stream.last_ticks, stream.median_interval_ticks)


def _not_in_place(facts: MediaFacts, shown: list[StreamFacts]) -> str:
    """Why a player cannot take the original's own bytes; empty if it can."""
    if facts.container in PLAIN:
        return ""
    if facts.container == "mpegts":
        foreign = [stream for stream in shown if stream.codec not in _STREAMED]
    elif facts.container == "fmp4" and facts.init_bytes:
        foreign = [stream for stream in shown if stream.codec not in COPIED[stream.kind]]
    else:
        return f"container {facts.container}"
    return f"{_named(foreign)} in it" if foreign else ""


def _named(streams: list[StreamFacts]) -> str:
    return ", ".join(dict.fromkeys(stream.codec for stream in streams))
