"""The salt key is made once, kept private, and refused when it is not what it must be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.adapters.salts import KEY_FILE, load_salt_key
from pipeline.domain.errors import Misconfigured


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: load_salt_key(None, tmp_path / "state"), range(8)))

    assert [len(key) for key in made] == [32]
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    assert load_salt_key(None, tmp_path / "a") != load_salt_key(None, tmp_path / "b")


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        ("00" * 32, 0o640, "mode 600, found 640"),
        ("00" * 31, 0o600, "expected 32 bytes, found 31"),
        ("key", 0o600, "cannot be used"),
        ("密", 0o600, "cannot be used"),
    ],
)
def test_a_named_key_that_is_none_is_refused(tmp_path: Path, text: str, mode: int, complaint: str) -> None:
    path = tmp_path / "key"
    path.write_text(text, "utf-8")
    path.chmod(mode)

    with pytest.raises(Misconfigured, match=complaint):
        load_salt_key(path, tmp_path)


def test_a_named_key_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        load_salt_key(tmp_path / "absent", tmp_path)
