"""``unbroken doctor`` names what is wrong and what to do, whatever else is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import build
from pipeline.cli.doctor import examine, in_short
from pipeline.domain.worm import Tried, WormReport, report_document
from pipeline.settings import Settings
from tests.builders import T0


def _checkups(tmp_path: Path, **changes: object) -> dict[str, tuple[bool, str, str]]:
    # Port 9 (discard) is closed on any machine that runs our tests; a refused connection is the quickest "down".
    elsewhere = {"kafka": "127.0.0.1:9", "store_url": "http://127.0.0.1:9", "state": tmp_path}
    settings = Settings(**{**elsewhere, **changes})  # type: ignore[arg-type]  # names of its fields
    return {checkup.name: (checkup.ok, checkup.found, checkup.remedy) for checkup in examine(settings)}


def test_services_that_are_down_are_each_named_with_the_remedy(tmp_path: Path) -> None:
    found = _checkups(tmp_path)

    assert not found["kafka"][0]
    assert "127.0.0.1:9" in found["kafka"][1]
    assert "make up" in found["kafka"][2]
    assert not found["store"][0]
    assert "make up" in found["store"][2]


def test_a_policy_that_cannot_be_read_does_not_hide_the_other_findings(tmp_path: Path) -> None:
    found = _checkups(tmp_path, policy=tmp_path / "absent.toml")

    assert not found["policy"][0]
    assert "absent.toml" in found["policy"][1]
    assert {"packages", "ffmpeg", "disk", "kafka", "store", "receipt key"} <= set(found)


def test_what_is_in_order_needs_no_remedy(tmp_path: Path) -> None:
    found = _checkups(tmp_path)

    assert found["packages"] == (True, "pinned versions are installed", "")
    assert found["policy"][0]
    assert found["policy"][2] == ""


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_receipt_key_that_others_may_read_is_not_in_order(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(mode)

    found = _checkups(tmp_path, signing_key_file=key)

    assert not found["receipt key"][0]
    assert "key.pem" in found["receipt key"][1]


def tried_lock(ok: bool | None, found: str) -> WormReport:
    return WormReport(
        tried_at=T0,
        store="https://store",
        software="unbroken test",
        tried=(Tried(name="a shorter lock", must=True, ok=ok, found=found),),
        left=None,
    )


@pytest.mark.parametrize(
    ("ok", "exit_code", "word", "short"),
    [
        (True, 0, "ok", "the locks hold, evidence may go here"),
        (None, 0, "later", "the locks hold, evidence may go here"),
        (False, 1, "WRONG", "NOT TRUSTED, 1 WRONG: nothing is archived here until they hold (UnbrokenStoreMistrusted in the runbook)"),
    ],
)  # fmt: skip
def test_doctor_worm_shows_what_was_found_and_fails_for_a_fault(
    monkeypatch: pytest.MonkeyPatch, ok: bool | None, exit_code: int, word: str, short: str
) -> None:
    report = tried_lock(ok, "as found")
    monkeypatch.setattr("pipeline.adapters.worm_s3.look_at_store", lambda _settings: (report, "worm/now.json"))

    shown = CliRunner().invoke(build(), ["doctor", "worm"])
    as_json = CliRunner().invoke(build(), ["doctor", "worm", "--json"])

    assert (shown.exit_code, as_json.exit_code) == (exit_code, exit_code)
    assert " ".join(shown.stdout.split()) == f"{word} a shorter lock as found {short} kept as records/worm/now.json"
    assert as_json.stdout == report_document(report).decode() + "\n"


def test_what_only_differs_is_said_to_matter_to_nothing() -> None:
    report = tried_lock(True, "as found")
    differing = Tried(name="put only if absent", must=False, ok=False, found="accepted")

    assert in_short(replace(report, tried=(*report.tried, differing))).endswith("; nothing rests on the 1 that differ")


def test_the_words_of_a_store_do_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    report = tried_lock(True, "refused: [/red]\x1b[2J")
    monkeypatch.setattr("pipeline.adapters.worm_s3.look_at_store", lambda _settings: (report, "worm/now.json"))

    shown = CliRunner().invoke(build(), ["doctor", "worm"])

    assert (shown.exit_code, "refused: [/red]\\x1b[2J" in shown.stdout) == (0, True)
