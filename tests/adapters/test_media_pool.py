"""The media pool: whatever a file does to the process that reads it, it costs that file alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from pipeline.adapters.media_pool import MediaPool
from pipeline.domain.errors import ProbeDied
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import unreadable

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)


_spoiled: list[str] = []


def obey(path: str, tolerance: Tolerance) -> MediaFacts:
    """A reader whose fate is the file's name."""
    order = Path(path).name
    if order == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
        time.sleep(600)
    if order == "devour":
        return unreadable(str(len(bytearray(8 << 30))))
    if order == "exit":
        os._exit(3)
    if order == "spoil":
        _spoiled.append(path)
    if order == "frail" and _spoiled:
        os._exit(4)
    if order == "raise":
        raise RuntimeError(path)
    return unreadable(f"{order} by {os.getpid()}")


Pool = Callable[..., MediaPool]


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    made: list[MediaPool] = []

    def make(processes: int = 1, **options: int) -> MediaPool:
        made.append(MediaPool(processes, options.pop("timeout_s", 5), 256 << 20, job=obey, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def fate(pool: MediaPool, order: str) -> str:
    """What the reader said, or how it died."""
    try:
        return (await pool.facts(Path("/nowhere") / order, TOLERANCE)).findings[0].found
    except ProbeDied as exc:
        return f"died: {exc}"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("crash", "died: ended by SIGSEGV"),
        ("devour", "died: ran out of memory"),
        ("exit", "died: ended with code 3"),
        ("raise", "died: failed: RuntimeError"),
    ],
)
async def test_a_lost_reader_is_named_and_replaced(pool: Pool, order: str, words: str) -> None:
    one = pool()
    before = await fate(one, "first")

    lost = await fate(one, order)

    after = await fate(one, "first")
    assert lost == words
    assert after.startswith("first by ")
    assert after != before


async def test_a_hanging_reader_is_killed_and_others_go_on(pool: Pool) -> None:
    two = pool(2, timeout_s=2)
    await asyncio.gather(fate(two, "a"), fate(two, "b"))

    started = time.monotonic()
    fates = await asyncio.gather(fate(two, "hang"), *(fate(two, f"file-{i}") for i in range(20)))

    assert fates[0] == "died: took longer than 2 s"
    assert all(words.startswith("file-") for words in fates[1:])
    assert time.monotonic() - started < 8


async def test_a_crash_among_many_files_costs_one(pool: Pool) -> None:
    two = pool(2)

    fates = await asyncio.gather(*(fate(two, "crash" if i == 7 else f"file-{i}") for i in range(20)))

    assert [i for i, words in enumerate(fates) if words.startswith("died")] == [7]


async def test_a_file_is_not_blamed_for_what_another_did_to_the_process(pool: Pool) -> None:
    one = pool()

    fates = [await fate(one, order) for order in ("spoil", "frail", "frail")]

    assert [words.split()[0] for words in fates] == ["spoil", "frail", "frail"]


async def test_processes_are_kept_and_then_renewed(pool: Pool) -> None:
    one = pool(files_a_process=3)

    readers = [(await fate(one, "file")).split()[-1] for _ in range(6)]

    assert readers == [readers[0]] * 3 + [readers[3]] * 3
    assert readers[0] != readers[3]


async def test_closing_ends_every_process(pool: Pool) -> None:
    one = pool()
    reader = int((await fate(one, "file")).split()[-1])

    one.close()

    with pytest.raises(ProcessLookupError):
        os.kill(reader, 0)


async def test_the_real_reader_works_in_the_pool_under_its_memory_limit(films: Path) -> None:
    real = MediaPool(1, 30, 512 << 20)
    try:
        found = await real.facts(films / "film.mkv", TOLERANCE)
    finally:
        real.close()

    assert found.media == "timed"
    assert found.streams[0].packets == 150
