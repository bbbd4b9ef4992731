"""Breach: a key for each miss and for what came late, and the event's own fields under it."""

from __future__ import annotations

import json

import pytest

from pipeline.domain.breach import breach_document, breach_key, is_breach_key
from pipeline.domain.canonical import plain
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.time import WallMs
from tests.builders import RECORDING, SOURCE, T0
from tests.wire.contract import accepts

MISSED = DeadlineChanged(
    source_id=SOURCE,
    source_kind="cctv",
    unit="service-hall",
    recording_id=RECORDING,
    at=T0,
    state="missed",
    changed_at=WallMs(T0 + 60_001),
    progress="received",
    cause="store",
)


def test_the_record_is_the_event_and_as_its_schema_says() -> None:
    record = json.loads(breach_document(MISSED))

    assert accepts("breach.v1", record)
    assert record.pop("format") == "unbroken.breach.v1"
    assert record == plain(MISSED)


def test_a_recording_has_one_key_for_its_miss() -> None:
    assert breach_key(MISSED) == f"deadlines/{SOURCE}/{RECORDING}/missed.json"


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        (breach_key(MISSED), True),
        (f"deadlines/{SOURCE}/{RECORDING}/late.json", True),
        (f"deadlines/{SOURCE}/{RECORDING}/met.json", False),
        (f"deadlines/{SOURCE}/missed.json", False),
        (f"deadlines/{SOURCE}/{RECORDING}/missed.json\n", False),
    ],
)
def test_its_keys_are_known_by_their_form(key: str, is_one: bool) -> None:
    assert is_breach_key(key) == is_one
