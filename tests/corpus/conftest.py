"""The corpus, made and judged once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.corpus.controls import CONTROLS
from tests.corpus.faults import FAULTS
from tests.corpus.reels import Studio
from tests.corpus.score import Score, scores


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("reels"))
    yield studio
    studio.close()


@pytest.fixture(scope="session")
def faults(studio: Studio) -> list[Score]:
    return [score for make in FAULTS for score in scores(make(studio))]


@pytest.fixture(scope="session")
def controls(studio: Studio) -> list[Score]:
    return [score for make in CONTROLS for score in scores(make(studio))]
