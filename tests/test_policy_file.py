"""The policy file: what a bureau may write, and what it is told when that cannot be used."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from pipeline.domain.errors import Misconfigured
from pipeline.policy import load_policy

TOLERANCE = ("in_file_ms", "in_file_intervals", "across_files_ms", "wall_clock_ms")
SHIPPED = (files("pipeline") / "policy.toml").read_text("utf-8")


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def with_number(name: str, value: str) -> str:
    text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", SHIPPED)
    assert count
    return text


def test_a_copy_of_the_shipped_policy_is_the_shipped_policy(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path / "copy.toml", SHIPPED)) == load_policy()


def test_a_sites_own_numbers_are_taken(tmp_path: Path) -> None:
    text = with_number("deadline_s", "43200").replace("2026-11-default", "2026-12-site")

    found = load_policy(written(tmp_path / "site.toml", text))

    assert (found.version, found.deadline_s) == ("2026-12-site", 43200)


@pytest.mark.parametrize(
    "name",
    [
        "block_s",
        "idle_end_s",
        "next_block_grace_s",
        "remembered_closed_recordings",
        "deadline_s",
        "at_risk_before_s",
        "provisional_retention_s",
        "checkpoint_s",
        "verify_within_s",
        *TOLERANCE,
    ],
)
@pytest.mark.parametrize(("value", "possible"), [("-1", False), ("0", False), ("1", True)])
def test_a_number_of_the_policy_is_positive(tmp_path: Path, name: str, value: str, possible: bool) -> None:
    path = written(tmp_path / "p.toml", with_number(name, value))

    if possible:
        found = load_policy(path)
        assert getattr(found.tolerance["cctv"] if name in TOLERANCE else found, name) == 1
    else:
        with pytest.raises(Misconfigured, match=rf"positive numbers for {name} \({re.escape(str(path))}\)"):
            load_policy(path)


def test_all_impossible_numbers_are_named_at_once(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^(block_s|deadline_s) = .*$", r"\1 = 0", SHIPPED)

    with pytest.raises(Misconfigured, match="positive numbers for block_s, deadline_s"):
        load_policy(written(tmp_path / "p.toml", text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SHIPPED.replace("[recording]", "[recording]\nblock = 1"), "block"),
        (SHIPPED.replace("block_s = 3600", ""), "block_s"),
        (SHIPPED.replace("block_s = 3600", 'block_s = "an hour"'), "block_s"),
        (SHIPPED.replace("block_s = 3600", "block_s = 3600.5"), "block_s"),
        (SHIPPED.replace("[tolerance.cctv]", "[tolerance.drone]"), "drone"),
        (SHIPPED.replace("[deadline]", "[deadlines]"), "deadline"),
        ("version = ", "policy cannot be used"),
        ("", "version"),
    ],
    ids=["unknown", "missing", "text", "fraction", "kind", "table", "not toml", "empty"],
)
def test_a_policy_that_cannot_be_used_is_refused_with_entry_and_file(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path / "p.toml", text)

    with pytest.raises(Misconfigured) as refused:
        load_policy(path)

    assert says in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [None, b"version = '\xff'"], ids=["missing", "not utf-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(Misconfigured, match=re.escape(str(path))):
        load_policy(path)


def test_a_kind_of_source_left_out_is_named(tmp_path: Path) -> None:
    text = re.sub(r"\[tolerance\.camcorder\]\n(?:\w+ = \d+\n){4}", "", SHIPPED)

    with pytest.raises(Misconfigured, match="policy needs a tolerance for camcorder"):
        load_policy(written(tmp_path / "p.toml", text))


def test_every_value_is_explained_beside_it() -> None:
    tables = re.split(r"(?m)^\[", SHIPPED)[1:]

    silent = [table.partition("]")[0] for table in tables if "#" not in table and not table.startswith("tolerance")]

    assert silent == []


@pytest.mark.parametrize(("text", "minutes"), [("", None), ("+08:00", 480), ("-03:30", -210), ("+00:00", 0)])
def test_the_end_of_a_camera_s_day_is_at_an_offset_or_does_not_count(
    tmp_path: Path, text: str, minutes: int | None
) -> None:
    path = written(tmp_path / "p.toml", SHIPPED.replace('from_end_of_day = ""', f'from_end_of_day = "{text}"'))

    assert load_policy(path).day_offset_minutes == minutes


@pytest.mark.parametrize("text", ["8", "+8:00", "+15:00", "+08:60", "Asia/Shanghai"])
def test_an_offset_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "p.toml", SHIPPED.replace('from_end_of_day = ""', f'from_end_of_day = "{text}"'))

    with pytest.raises(Misconfigured, match=re.escape(f"from_end_of_day empty or like +08:00, found '{text}'")):
        load_policy(path)
