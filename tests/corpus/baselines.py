"""Baselines: what is commonly used instead, on the same files, each as its users run it.

* *pts+duration*: ``ffprobe -show_packets``, and a gap where a packet begins more than 250 ms after the one before it ends.
* *one second*: files are one recording where each begins within a second of the end of the one before it, by the time in
  its name and its duration (how MediaMTX lists recordings that carry no identity).
* *by duration*: files are put one after the other by their durations, as a concatenation does. It looks for nothing; it
  notices files that cannot be opened.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.corpus.cases import Case

EVERY: Final = 8
"""A process for each file takes its time: every eighth case of each class is shown to them."""
_TOLERANCE_S: Final = 0.25
_JOIN_S: Final = 1.0
_ENTRIES: Final = "packet=stream_index,pts_time,duration_time:format=start_time,duration"
_STAMP: Final = re.compile(r"(\d{8}T\d{6})(?:\.(\d{3}))?Z")


class Said(NamedTuple):
    """Whether each baseline says that something is missing in a case."""

    pts_duration: bool
    one_second: bool
    by_duration: bool


def said(case: Case, folder: Path) -> Said:
    found = []
    for file in case.files:
        path = folder / file.name
        path.write_bytes(file.data)
        found.append((_start(file.name, file.mtime_ms), _probe(path)))
        path.unlink()
    unreadable = any(probe is None for _, probe in found)
    probes = [(start, probe) for start, probe in found if probe is not None]
    return Said(
        pts_duration=unreadable or any(_has_gap(probe["packets"]) for _, probe in probes),
        one_second=unreadable
        or _apart([(start, float(probe["format"].get("duration", 0))) for start, probe in probes]),
        by_duration=unreadable,
    )


def _probe(path: Path) -> Any:
    command = ["ffprobe", "-v", "quiet", "-of", "json", "-show_entries", _ENTRIES, str(path)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    read = json.loads(done.stdout or b"{}")
    return read if done.returncode == 0 and read.get("packets") else None


def _has_gap(packets: Iterable[dict[str, Any]]) -> bool:
    streams: dict[int, list[tuple[float, float]]] = {}
    for packet in packets:
        if "pts_time" in packet:
            span = float(packet["pts_time"]), float(packet.get("duration_time", 0))
            streams.setdefault(packet["stream_index"], []).append(span)
    return any(
        after - (before + length) > _TOLERANCE_S
        for spans in streams.values()
        for (before, length), (after, _) in itertools.pairwise(sorted(spans))
    )


def _apart(files: Sequence[tuple[float, float]]) -> bool:
    ordered = sorted(files)
    return any(abs(start - (before + length)) > _JOIN_S for (before, length), (start, _) in itertools.pairwise(ordered))


def _start(name: str, mtime_ms: int) -> float:
    stamp = _STAMP.search(name)
    if stamp is None:
        return mtime_ms / 1000
    at = datetime.strptime(stamp[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return at.timestamp() + int(stamp[2] or 0) / 1000
