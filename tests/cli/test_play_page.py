"""The page of ``unbroken play`` runs nothing but what it names by digest, and shows a stranger's words as text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from pipeline.cli.play_page import PLAYER, WORDS, page, player
from pipeline.domain.statement import Language
from pipeline.domain.time import WallMs
from pipeline.steps.view import Paged, archived_of
from tests.builders import T0
from tests.steps.test_view import WISH, Stage, manifest, of

ADDRESS = "http://127.0.0.1:19000/derived/pages/x/hls.js?X-Amz-Signature=00&a=b"
HLS_SHA256 = "236fded746599de9a54ee84b0a7d1ea77399ad6f897fac36a4a8944b808a89f6"


async def paged(**changes: Any) -> Paged:
    given = manifest()
    given["segments"][0] |= changes
    return await Stage().step.view(archived_of(of(given), given), WISH)


def test_the_player_is_the_published_one() -> None:
    assert hashlib.sha256(player()).hexdigest() == HLS_SHA256, f"{PLAYER} is not hls.js 1.7.4 (light)"
    assert b"1.7.4" in player()


@pytest.mark.parametrize("language", sorted(WORDS))
async def test_nothing_runs_but_what_is_named_by_its_digest(language: Language) -> None:
    text = page(await paged(), ADDRESS, WORDS[language])

    guard = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert guard is not None
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = {hashlib.sha256(one.encode()).digest() for one in scripts} | {hashlib.sha256(player()).digest()}
    allowed = re.search(r"script-src ([^;]*)", guard[1])
    assert allowed is not None
    assert allowed[1].split() == [f"'sha256-{base64.b64encode(one).decode()}'" for one in sorted(digests, key=lambda d: allowed[1].index(base64.b64encode(d).decode()))]  # fmt: skip
    assert "connect-src blob: http://127.0.0.1:19000;" in guard[1]
    assert "default-src 'none'" in guard[1]
    assert " style=" not in text
    assert f'lang="{language}"' in text


async def test_purpose_gaps_and_explanations_are_on_it() -> None:
    text = page(await paged(), ADDRESS, WORDS["en"])

    assert "for this purpose: review of the visit" in text
    assert "explained (R4), officer-1, 2026-11-24" in text
    assert text.count('class="gap"') == 1
    assert "not shown: photo: not timed media" in text


async def test_a_strangers_words_are_text() -> None:
    text = page(await paged(original_name="</script><script>alert(1)</script>"), ADDRESS, WORDS["en"])

    assert "<script>alert" not in text
    assert "&lt;/script&gt;" in text


async def test_what_the_script_reads_is_json_whatever_is_in_it() -> None:
    text = page(await paged(), ADDRESS, WORDS["zh"])

    found = re.search(r'<script type="application/json" id="view">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    value = json.loads(found[1])
    assert "<" not in found[1]
    assert [part["at"] for part in value["parts"]] == [0, 30]
    assert value["gaps"][0]["words"].startswith("2026-11-24 08:00:20.000 至 08:00:30.000（10.000 秒）未录制")
    assert value["spans"][0]["start"] == WallMs(T0)
