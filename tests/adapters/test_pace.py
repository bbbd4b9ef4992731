"""Reading keeps to its rate, however many read, and does not make up for pauses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pipeline.adapters.pace import Pace


class Watch:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_what_was_read_takes_as_long_as_the_rate_says() -> None:
    watch = Watch()
    pace = Pace(1000, watch.now, watch.sleep)

    for size_bytes in (500, 1000, 0, 2500):
        pace(size_bytes)

    assert watch.at == 104.0


def test_a_pause_is_not_made_up_for() -> None:
    watch = Watch()
    pace = Pace(1000, watch.now, watch.sleep)
    pace(1000)

    watch.sleep(60)
    pace(1000)

    assert watch.at == 162.0


def test_several_readers_share_the_rate() -> None:
    slept: list[float] = []
    pace = Pace(1000, now=lambda: 0.0, sleep=slept.append)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pace, [1000] * 8))

    assert sorted(slept) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
