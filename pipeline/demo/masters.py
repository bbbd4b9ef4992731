"""Masters: the encoded footage before names, marks and cuts. A real encoder makes it, once per recipe.

Encoding takes seconds and depends on nothing but this file, so its digest names the folder the masters are kept in.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Final

import av

BLOCK_S: Final = 120
"""The demo policy's block: an hour would take an hour's footage."""

SEGMENT_S: Final = 10
_WRAP_OFFSET_S: Final = 95_400
"""Added to hall-2's clock: 2**33 ticks are 95443.7 s, so it wraps inside the fifth file."""

BODY_FILE_S: Final = 20
CUT_S: Final = (10, 17)
VOICE_S: Final = 30

_VIDEO: Final = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-sc_threshold", "0", "-b:v", "150k"]
_AUDIO: Final = ["-c:a", "aac", "-b:a", "32k", "-ac", "1"]
_FRAGMENTED: Final = ["-movflags", "frag_keyframe+delay_moov+default_base_moof"]


def encoded_masters(cache: Path) -> Path:
    """The folder of encoded masters under *cache*, made if this recipe's is not there. Needs ``ffmpeg``, takes seconds."""
    folder = cache / f"footage-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=cache, prefix="encoding-"))
    with ThreadPoolExecutor(max_workers=2) as pool:
        for job in [pool.submit(encode, work) for encode in (_hall_1, _hall_2, _body, _small)]:
            job.result()
    try:
        return work.rename(folder)
    except OSError:  # somebody else made the same at the same time
        shutil.rmtree(work)
        return folder


def _hall_1(folder: Path) -> None:
    _hall(folder / "hall-1", seconds=2 * BLOCK_S, clock_offset_s=0, tone=440)


def _hall_2(folder: Path) -> None:
    _hall(folder / "hall-2", seconds=BLOCK_S, clock_offset_s=_WRAP_OFFSET_S, tone=550)


def _hall(folder: Path, *, seconds: int, clock_offset_s: int, tone: int) -> None:
    """One camera's continuous stream, cut at key frames into transport-stream files that keep its clock."""
    folder.mkdir()
    cut = ["-f", "segment", "-segment_time", str(SEGMENT_S), "-segment_format", "mpegts"]
    clock = ["-segment_format_options", f"output_ts_offset={clock_offset_s}"]
    _film(seconds, tone, ["-g", "50", *cut, *clock, f"{folder}/%03d.ts"])


def _body(folder: Path) -> None:
    """The body camera's files: 1, 2 and 4 whole, 3 with its middle cut out, 5 to be cut off when it is shot."""
    body = folder / "body"
    body.mkdir()
    cut_s = CUT_S[1] - CUT_S[0]
    _film(BODY_FILE_S, 600, ["-g", "25", "-movflags", "faststart", f"{body}/1.mp4"])
    _film(BODY_FILE_S, 610, ["-g", "25", *_FRAGMENTED, f"{body}/2.mp4"])
    _film(BODY_FILE_S + cut_s, 620, ["-g", "25", f"{body}/whole.mp4"])
    cut_inside(body / "whole.mp4", body / "3.mp4", *CUT_S)
    (body / "whole.mp4").unlink()
    _film(BODY_FILE_S, 630, ["-g", "25", f"{body}/4.mp4"])
    _film(BODY_FILE_S, 640, ["-g", "25", *_FRAGMENTED, f"{body}/5.mp4"])


def _small(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    _ffmpeg([*_tone(330), "-t", str(VOICE_S), *_AUDIO, f"{small}/voice.m4a"])
    _ffmpeg([*_picture(), "-frames:v", "1", "-f", "image2", f"{small}/photo.jpg"])


def cut_inside(whole: Path, cut: Path, from_s: int, to_s: int) -> None:
    """Copy *whole* without the packets shown in ``[from_s, to_s)``. MP4 stores intervals, not times: the last kept sample
    gets the whole hole as its duration, and every reader of durations sees an unbroken file. The bounds are key frames."""
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if not from_s <= Fraction(packet.pts) * packet.time_base < to_s:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def _film(seconds: int, tone: int, output: list[str]) -> None:
    _ffmpeg([*_picture(), *_tone(tone), "-t", str(seconds), *_VIDEO, "-pix_fmt", "yuv420p", *_AUDIO, *output])


def _picture() -> list[str]:
    return ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]


def _tone(frequency_hz: int) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=frequency={frequency_hz}:sample_rate=48000"]


def _ffmpeg(arguments: list[str]) -> None:
    """Run ffmpeg; raises ``RuntimeError`` with its own words."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg failed ({done.returncode}): {done.stderr.strip()[-500:]}")
