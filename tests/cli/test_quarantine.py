"""``unbroken quarantine`` as it is read: names, reasons, decisions; bytes and names of strangers shown safely."""

from __future__ import annotations

import base64
from io import StringIO

from rich.console import Console

from pipeline.cli.quarantine import listing, remedies, report, waiting
from pipeline.domain.quarantine import Quarantined, QuarantineDecided, Standing
from tests.builders import T0
from tests.wire.contract import validator


def standing_at(value: bytes | None, decided: bool = False) -> Standing:
    item = Quarantined(
        stage="probe",
        topic="unbroken.segment.landed.v1",
        partition=3,
        offset=17,
        key_base64=base64.b64encode(b"hall-1").decode(),
        value_base64=None if value is None else base64.b64encode(value).decode(),
        reason="malformed",
        detail="expected one JSON object, found \x1b[2J",
        at=T0,
        headers_base64=(("ce_type", "dW5icm9rZW4="),),
    )
    done = QuarantineDecided(**item.place._asdict(), decision="discarded", grounds="a test", made_by="王", at=T0)
    return Standing(item, done if decided else None)


def text(shown: list[Standing]) -> str:
    page = StringIO()
    Console(width=200, file=page).print(listing(shown))
    return page.getvalue()


def test_each_row_names_the_input_as_the_other_commands_take_it() -> None:
    found = text([standing_at(b"{"), standing_at(None, decided=True)])

    assert found.count("probe/unbroken.segment.landed.v1/3/17") == 2
    assert "malformed" in found
    assert "null" in found
    assert "discarded by 王: a test" in found


def test_the_first_that_waits_is_given_with_what_can_be_done_about_it() -> None:
    found = "\n".join(remedies([standing_at(b"{", decided=True), standing_at(b"{")]))

    for command in ("show", "release", "discard"):
        assert f"unbroken quarantine {command} probe/unbroken.segment.landed.v1/3/17" in found
    assert remedies([standing_at(b"{", decided=True)]) == []


def test_a_strangers_bytes_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in text([standing_at(b"x")])


def test_json_is_as_its_schema_says_for_bytes_of_any_kind() -> None:
    made = [
        report(standing_at(value, decided), whole=whole)
        for value in (None, b"", b"\xff\x00", "中".encode() * 2000)
        for decided in (False, True)
        for whole in (False, True)
    ]

    assert [error.message for one in made for error in validator("quarantined.v1").iter_errors(one)] == []
    assert made[-1]["size_bytes"] == 6000


def test_only_what_nobody_decided_on_is_counted_as_waiting() -> None:
    assert waiting([standing_at(b"x"), standing_at(b"y", decided=True)]) == {"probe": 1}
