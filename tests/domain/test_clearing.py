"""A file is cleared by a genuine receipt that lists its very bytes, locked as the store says now; by nothing less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.clearing import Original, listed, why_kept
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.time import WallMs
from pipeline.domain.verify import Lock
from tests.builders import RECORDING, SOURCE, T0, sha
from tests.builders_archive import YEAR_MS, archived, locked

LISTED = locked(f"{RECORDING}/0")
UNTIL = T0 + YEAR_MS
FILE = Original(
    source_id=SOURCE, recording_id=RECORDING, sha256=LISTED.object.sha256, size_bytes=LISTED.object.size_bytes
)
HELD = Lock(mode="COMPLIANCE", retain_until=WallMs(UNTIL))


def test_a_listed_and_locked_original_may_go() -> None:
    assert why_kept(archived(), True, FILE, HELD) is None
    assert why_kept(archived(), True, FILE, replace(HELD, retain_until=WallMs(UNTIL + 1))) is None
    assert listed(archived(), FILE.sha256) == LISTED


@pytest.mark.parametrize(("genuine", "told"), [(None, "not among those given"), (False, "not what key")])
def test_a_receipt_that_is_not_known_to_be_ours_clears_nothing(genuine: bool | None, told: str) -> None:
    assert told in (why_kept(archived(), genuine, FILE, HELD) or "")


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, sha256=sha("other")),
        replace(FILE, size_bytes=FILE.size_bytes + 1),
        replace(FILE, recording_id=RecordingId("another")),
        replace(FILE, source_id=SourceId("another")),
    ],
    ids=["bytes", "size", "recording", "source"],
)
def test_a_receipt_of_something_else_clears_nothing(changed: Original) -> None:
    assert why_kept(archived(), True, changed, HELD) is not None


def test_a_receipt_that_lists_it_without_a_lock_clears_nothing() -> None:
    unlocked = replace(archived(), originals=(replace(LISTED, lock_mode="GOVERNANCE"),))

    assert "as locked" in (why_kept(unlocked, True, FILE, HELD) or "")


@pytest.mark.parametrize(
    "held",
    [
        None,
        replace(HELD, mode="none"),
        replace(HELD, mode="GOVERNANCE"),
        replace(HELD, retain_until=None),
        replace(HELD, retain_until=WallMs(UNTIL - 1)),
    ],
    ids=["nothing", "no lock", "a weaker lock", "no date", "a shorter lock"],
)
def test_what_the_store_does_not_confirm_now_is_kept(held: Lock | None) -> None:
    assert "the store does not confirm" in (why_kept(archived(), True, FILE, held) or "")
