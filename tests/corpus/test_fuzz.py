"""Fuzz: damaged files cost nothing but themselves, and what can be known of the damage is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.adapters.media_pool import MediaPool
from tests.corpus import fuzz

FILES = 1000
"""Of each container on every run; ``python -m tests.corpus fuzz`` reads thousands."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return fuzz.sources(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaPool]:
    pool = fuzz.pooled()
    yield pool
    pool.close()


@pytest.mark.parametrize("container", fuzz.SOURCES)
def test_damaged_files_end_no_process_and_hide_nothing(
    container: str, sources: dict[str, bytes], pool: MediaPool, tmp_path: Path
) -> None:
    tally = fuzz.run(container, sources, FILES, pool, tmp_path)

    assert tally.files == FILES
    assert tally.died == []
    assert tally.hidden == []


def test_the_same_seed_damages_the_same_bytes(sources: dict[str, bytes]) -> None:
    assert list(fuzz.mutations("ts", sources, 16)) == list(fuzz.mutations("ts", sources, 16))


@pytest.mark.parametrize(
    ("container", "spoil"),
    [
        ("ts", lambda data: data[:-1]),
        ("ts", lambda data: data[: 20 * 188] + data[21 * 188 :]),
        ("mp4", lambda data: data[:-1]),
        ("fmp4", lambda data: data[: len(data) // 2]),
        ("mkv", lambda data: data[:-1]),
        ("avi", lambda data: data[:-1]),
        ("wav", lambda data: data[:-1]),
        ("ogg", lambda data: data[:-1]),
    ],
)
def test_what_is_knowable_is_known_of_the_source_too(container: str, spoil: object, sources: dict[str, bytes]) -> None:
    whole = sources[container]

    assert not fuzz.knowable(container, whole)
    assert fuzz.knowable(container, spoil(whole))  # type: ignore[operator]  # one of the functions above
