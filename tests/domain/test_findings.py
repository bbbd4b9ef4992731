from __future__ import annotations

from typing import get_args

import pytest

from pipeline.domain.findings import LEVEL_ORDER, Finding, Level
from pipeline.domain.identity import Sha256
from tests.builders import sha


def test_levels_are_ordered_from_worst_to_mildest_and_none_is_missing() -> None:
    assert LEVEL_ORDER == ("interruption", "degradation", "note")
    assert set(LEVEL_ORDER) == set(get_args(Level))


@pytest.mark.parametrize("name", ["segment", "previous"])
def test_a_finding_names_files_by_their_digest_only(name: str) -> None:
    assert getattr(finding(**{name: sha("a")}), name) == sha("a")

    with pytest.raises(ValueError, match=r"expected 64 lower-case hex digits, found '003\.ts'"):
        finding(**{name: Sha256("003.ts")})


def test_a_finding_needs_no_file() -> None:
    assert (finding().segment, finding().previous) == (None, None)


def finding(**changes: Sha256) -> Finding:
    return Finding(kind="gap", level="note", evidence="none", expected="", found="", **changes)  # type: ignore[arg-type]
