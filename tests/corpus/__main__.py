"""``python -m tests.corpus``: the table, ours beside the baselines. ``--write`` renders ``docs/corpus.md``; ``fuzz [COUNT]``
reads so many damaged files of each container."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.corpus import baselines, fuzz
from tests.corpus.cases import Case
from tests.corpus.controls import CONTROLS
from tests.corpus.faults import FAULTS, SEED
from tests.corpus.reels import Studio
from tests.corpus.score import Score, judged, score
from tests.corpus.table import COLUMNS, PAGE, VERDICTS, markdown, rows, written

_FUZZED: Final = 2000
_BASELINES: Final = (
    "class", "cases", "ours", "ffprobe, pts + duration", "a second between files", "put together by duration",
)  # fmt: skip


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["fuzz"]:
        print(_fuzz(int(arguments[1]) if len(arguments) > 1 else _FUZZED))
        return
    scores: list[Score] = []
    beside: dict[str, list[tuple[bool, ...]]] = {}
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        studio = Studio(Path(folder))
        for number, case in enumerate(_cases(studio)):
            scores.append(score(case, judged(case, Path(folder))))
            said = baselines.said(case, Path(folder)) if number % baselines.EVERY == 0 else None
            if said:
                ours = scores[-1].verdict not in ("continuous", "not_testable")
                beside.setdefault(case.klass, []).append((ours, *said))
        studio.close()
    own = markdown(rows(scores), COLUMNS)
    others = markdown(
        [
            (klass, str(len(flags)), *(str(sum(column)) for column in zip(*flags, strict=True)))
            for klass, flags in beside.items()
        ],
        _BASELINES,
    )
    print(own, others, sep="\n\n")
    if arguments == ["--write"]:
        PAGE.write_text(
            written(own, others, _fuzz(_FUZZED), _versions(), f"{SEED} to {SEED + 13}, {fuzz.SEED}"), "utf-8"
        )


def _cases(studio: Studio) -> Iterator[Case]:
    for make in (*FAULTS, *CONTROLS):
        yield from make(studio)


def _fuzz(count: int) -> str:
    lines = [
        (
            container, str(tally.files), str(tally.knowable), *(str(tally.verdicts[verdict]) for verdict in VERDICTS),
            str(tally.refused), str(len(tally.died)), str(len(tally.hidden)),
        )
        for container, tally in fuzz.every(count)
    ]  # fmt: skip
    columns = ("container", "files", "damage knowable", *(word.replace("_", " ") for word in VERDICTS))
    return markdown(lines, (*columns, "asked for too much memory", "crashed or hung", "wrongly continuous"))


def _versions() -> str:
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return f"ffmpeg {ffmpeg}, PyAV {version('av')}"


if __name__ == "__main__":
    main(sys.argv[1:])
