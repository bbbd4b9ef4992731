"""Probe against its floor: facts and digest of a file, compared with its SHA-256 alone, per container; small files a second.

The floor is ``hashlib`` in 1 MiB reads over the same files in the same run, page cache warm, best of three. The pipeline
hashes while it fetches and reads media in other processes, so its cost is the larger of the two; the sum is the worst case.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipeline.adapters import media
from pipeline.policy import load_policy

_SECONDS: Final = 300
_SMALL_FILES: Final = 300
_CONTAINERS: Final = {
    "ts": ("film.ts",),
    "fmp4": ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "film-fragments.mp4"),
    "mp4": ("film.mp4",),
    "mkv": ("film.mkv",),
}


def main() -> dict[str, dict[str, float]]:
    """Measure, print a table, return it by container."""
    with tempfile.TemporaryDirectory(prefix="bench-probe-") as folder:
        films = _films(Path(folder))
        result = {name: _measure(path) for name, path in films.items()}
        small = _small(films["ts"], Path(folder))
    for name, row in result.items():
        print(
            f"{name:5} {row['bytes'] / 1e6:6.0f} MB  sha256 {row['sha256_s']:.3f} s  facts {row['facts_s']:.3f} s  "
            f"facts/sha256 {row['facts_s'] / row['sha256_s']:.2f}  both/sha256 {row['ratio']:.2f}"
        )
    print(f"small two-second transport-stream files: {small:.0f} a second in one process")
    result["small"] = {"files_per_s": small}
    return result


def _films(folder: Path) -> dict[str, Path]:
    """The same 720p film of some minutes in every container."""
    seed = folder / "seed.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-b:v", "4M", "-minrate", "4M"]
    rate = ["-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    _ffmpeg(*picture, "-t", "10", *video, *rate, str(seed))
    films = {}
    for name, (*options, file) in _CONTAINERS.items():
        films[name] = folder / file
        _ffmpeg("-stream_loop", str(_SECONDS // 10 - 1), "-i", str(seed), "-c", "copy", *options, str(films[name]))
    return films


def _measure(path: Path) -> dict[str, float]:
    tolerance = load_policy().tolerance["cctv"]
    sha256_s = _best(lambda: _sha256(path))
    facts_s = _best(lambda: media.facts(str(path), tolerance))
    return {
        "bytes": path.stat().st_size,
        "sha256_s": sha256_s,
        "facts_s": facts_s,
        "ratio": (sha256_s + facts_s) / sha256_s,
    }


def _small(film: Path, folder: Path) -> float:
    pattern = str(folder / "small-%03d.ts")
    _ffmpeg("-i", str(film), "-c", "copy", "-f", "segment", "-segment_time", "2", "-segment_format", "mpegts", pattern)
    paths = sorted(folder.glob("small-*.ts"))[:_SMALL_FILES]
    tolerance = load_policy().tolerance["cctv"]

    def check() -> None:
        for path in paths:
            _sha256(path)
            media.facts(str(path), tolerance)

    return len(paths) / _best(check)


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True, timeout=300)


if __name__ == "__main__":
    found = main()
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "probe.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
