"""Check against its floor: digest, facts and judgement of files, compared with their SHA-256 alone; and against ffprobe.

The floor is ``hashlib`` in 1 MiB reads over the same files in the same run, page cache warm, best of so many. A check is
what ``unbroken check`` does with a file: one media process hashes and reads it, the domain judges it. The start of the
processes counts for the whole command on the longest film only.

``python -m bench.check [--hours 10]``: the long films take a gigabyte of temporary space and a minute or two to make.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.media_pool import MediaPool
from pipeline.domain.check import Checked, FileRead, check
from pipeline.policy import load_policy

TARGET: Final = 1.15
TARGET_FILES_S: Final = 600
TARGET_LONG_MIB: Final = 250
_SECONDS: Final = 600
_ROUNDS: Final = 5
_FFPROBED: Final = 20
_MEMORY_BYTES: Final = 1 << 30
_FRAGMENTED: Final = "movflags=frag_keyframe+empty_moov+default_base_moof"
_CONTAINERS: Final = {
    "ts": ("film.ts",),
    "fmp4": ("-movflags", _FRAGMENTED.partition("=")[2], "fragments.mp4"),
    "mp4": ("film.mp4",),
    "mkv": ("film.mkv",),
}
_RESULTS: Final = Path(__file__).parent / "results"


def main(hours: int = 10) -> dict[str, dict[str, float]]:
    """Measure, print as it goes, return the figures by row; JSON goes to ``bench/results``."""
    result: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-check-") as name:
        folder = Path(name)
        films = _films(folder, _SECONDS, "1280x720", "4M", _CONTAINERS)
        for container, path in films.items():
            row = result[container] = _one(path)
            print(
                f"{container:5} {row['bytes'] / 1e6:5.0f} MB  sha256 {row['sha256_s']:.3f} s  check {row['check_s']:.3f} s  "
                f"check/sha256 {row['ratio']:.2f} (target {TARGET})  ffprobe {row['ffprobe_s']:.2f} s",
                flush=True,
            )
        for container in ("ts", "fmp4"):
            row = result[f"small {container}"] = _small(folder, films[container], container)
            print(
                f"two-second {container} files: {row['files_s_1']:.0f} a second in one process (target {TARGET_FILES_S}), "
                f"{row['files_s_2']:.0f} in two, {row['ffprobe_files_s']:.0f} by ffprobe; their sha256 alone {row['sha256_files_s']:.0f}",
                flush=True,
            )
        for path in films.values():
            path.unlink()
        long = {container: _CONTAINERS[container] for container in ("ts", "fmp4", "mp4")}
        for container, path in _films(folder, hours * 3600, "160x120", "100k", long).items():
            row = result[f"{hours} h {container}"] = _long(path)
            print(
                f"{hours} h {container}: {row['bytes'] / 1e6:.0f} MB, {row['check_s']:.1f} s the whole command, sha256 alone "
                f"{row['sha256_s']:.1f} s; {row['reader_mib']:.0f} MiB the reading process (target {TARGET_LONG_MIB}), "
                f"{row['judge_mib']:.0f} MiB the judging one",
                flush=True,
            )
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / "check.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


# What is measured.


def _one(path: Path) -> dict[str, float]:
    """One film: its digest alone, its check, and ffprobe's list of packets."""
    sha256_s = _best(_ROUNDS, lambda: _sha256(path))
    with _pool(1) as pool:
        check_s = _best(_ROUNDS, lambda: _check(pool, [path], at_once=1))
    return {
        "bytes": path.stat().st_size,
        "sha256_s": sha256_s,
        "check_s": check_s,
        "ffprobe_s": _best(2, lambda: _ffprobe(path)),
        "ratio": check_s / sha256_s,
    }


def _small(folder: Path, film: Path, container: str) -> dict[str, float]:
    """Two-second files of one recording, in one media process and in two."""
    suffix, options = ("ts", ()) if container == "ts" else ("mp4", ("-segment_format_options", _FRAGMENTED))
    pattern = folder / f"small-{container}-%04d.{suffix}"
    _ffmpeg("-i", str(film), "-c", "copy", "-f", "segment", "-segment_time", "2", *options, str(pattern))
    paths = sorted(folder.glob(f"small-{container}-*"))
    sha256_s = _best(_ROUNDS, lambda: [_sha256(path) for path in paths])
    figures = {
        "files": float(len(paths)),
        "bytes": float(sum(path.stat().st_size for path in paths)),
        "sha256_files_s": len(paths) / sha256_s,
        "ffprobe_files_s": _FFPROBED / _best(1, lambda: _ffprobe_all(paths[:_FFPROBED])),
    }
    for processes in (1, 2):
        with _pool(processes) as pool:
            figures[f"files_s_{processes}"] = len(paths) / _best(_ROUNDS, _checking(pool, paths, 2 * processes))
    for path in paths:
        path.unlink()
    return figures


def _long(path: Path) -> dict[str, float]:
    """The whole command on a film of hours, and what its processes needed at most."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipeline.cli", "check", "--jobs", "1", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    check_s = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(
            f"a whole film was not found continuous: {done.stdout.decode()[-2000:]} {done.stderr.decode()}"
        )
    before_mib = _peak_mib("self")
    with _pool(1) as pool:
        _check(pool, [path], at_once=1)
        (reader,) = multiprocessing.active_children()
        reader_mib = _peak_mib(str(reader.pid))
    figures = {"bytes": path.stat().st_size, "sha256_s": _best(2, lambda: _sha256(path)), "check_s": check_s}
    path.unlink()
    return figures | {"reader_mib": reader_mib, "judge_mib": max(before_mib, _peak_mib("self"))}


# How.


@contextmanager
def _pool(processes: int) -> Iterator[MediaPool]:
    pool = MediaPool(processes, timeout_s=120, memory_bytes=_MEMORY_BYTES)
    try:
        yield pool
    finally:
        pool.close()


def _checking(pool: MediaPool, paths: Sequence[Path], at_once: int) -> Callable[[], Checked]:
    return lambda: _check(pool, paths, at_once)


def _check(pool: MediaPool, paths: Sequence[Path], at_once: int) -> Checked:
    policy = load_policy()

    async def read(path: Path, places: asyncio.Semaphore) -> FileRead:
        async with places:
            examined = await pool.examine(path, policy.tolerance["cctv"], lambda _size_bytes: None)
        assert examined.digested.sha256 is not None
        size_bytes = examined.digested.found.st_size
        return FileRead(name=path.name, sha256=examined.digested.sha256, size_bytes=size_bytes, facts=examined.facts)

    async def read_all() -> list[FileRead]:
        places = asyncio.Semaphore(at_once)
        return list(await asyncio.gather(*(read(path, places) for path in paths)))

    return check("films", asyncio.run(read_all()), (), "cctv", SystemClock().now(), policy)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _ffprobe(path: Path) -> None:
    entries = ["-show_entries", "packet=stream_index,pts_time,duration_time", "-of", "csv"]
    command = ["ffprobe", "-v", "quiet", *entries, str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)


def _ffprobe_all(paths: Sequence[Path]) -> None:
    for path in paths:
        _ffprobe(path)


def _best(rounds: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest round, after one that warms caches and processes."""
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def _peak_mib(process: str) -> float:
    """The most memory a process has had resident."""
    lines = Path(f"/proc/{process}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _films(folder: Path, seconds: int, size: str, rate: str, containers: dict[str, tuple[str, ...]]) -> dict[str, Path]:
    """The same film in every container, of ten seconds encoded once and repeated."""
    seed = folder / "seed.mp4"
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-b:v", rate, "-minrate", rate]
    filled = ["-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    _ffmpeg(*picture, "-t", "10", *video, *filled, "-b:a", "64k", str(seed))
    films = {}
    for name, (*options, file) in containers.items():
        films[name] = folder / file
        _ffmpeg("-stream_loop", str(seconds // 10 - 1), "-i", str(seed), "-c", "copy", *options, str(films[name]))
    return films


def _ffmpeg(*arguments: str) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=1800)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="digest, facts and judgement against SHA-256 alone")
    parser.add_argument("--hours", type=int, default=10, help="length of the longest film")
    main(parser.parse_args().hours)
