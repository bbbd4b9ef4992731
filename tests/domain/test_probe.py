"""Probe: facts hold what they say or are refused."""

from __future__ import annotations

import pytest

from pipeline.domain.probe import StreamFacts
from tests.builders import probed


@pytest.mark.parametrize(("index", "packets"), [(-1, 0), (0, -1)])
def test_a_stream_has_no_negative_counts(index: int, packets: int) -> None:
    with pytest.raises(ValueError, match="not negative"):
        StreamFacts(index=index, kind="video", codec="h264", time_base_num=1, time_base_den=90_000, packets=packets)


@pytest.mark.parametrize(("num", "den"), [(0, 1), (1, 0), (1, -1)])
def test_a_stream_has_a_positive_time_base(num: int, den: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamFacts(index=0, kind="video", codec="h264", time_base_num=num, time_base_den=den, packets=0)


def test_a_probed_segment_names_the_digest_that_was_read_back() -> None:
    made = probed()

    assert made.observed_sha256 == made.landed.object.sha256
