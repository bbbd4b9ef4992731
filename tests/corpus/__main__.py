"""``python -m tests.corpus``: the table."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.corpus.controls import CONTROLS
from tests.corpus.faults import FAULTS
from tests.corpus.reels import Studio
from tests.corpus.score import scores
from tests.corpus.table import lines, markdown, total


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="reels-") as folder:
        studio = Studio(Path(folder))
        faults = lines(score for make in FAULTS for score in scores(make(studio)))
        controls = lines(score for make in CONTROLS for score in scores(make(studio)))
        studio.close()
    rows = [*faults, total(faults, "**all faults**"), *controls, total(controls, "**all controls**")]
    print(markdown([row.cells() for row in rows]))


if __name__ == "__main__":
    main()
