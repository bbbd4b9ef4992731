"""The page a stranger follows is true: its own script, run by a bare Python, passes on an archive and finds tampering."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.domain import chain, continuity, stitch
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import ArchiveState
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import Document, RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.steps.archive import ArchiveStep
from tests.builders import RECORDING, SOURCE, T0, explanation, metadata, photo, policy, probed, session_ended
from tests.builders_archive import DAY_MS, signer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence-format.md"
REVISION = Path("records", "recordings", SOURCE, RECORDING, "r2")


class Noon:
    def now(self) -> WallMs:
        return WallMs(T0 + DAY_MS)


@dataclass(frozen=True)
class Received:
    event: RecordingStitched


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


class Source:
    """A source's day, carried through every stage's own code into a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryObjects(Noon())
        for name, days in (("originals", 1), ("records", 1), ("derived", None)):
            self.store.make_bucket(name, days)

    def links(self) -> list[LinkAppended]:
        day: list[SegmentProbed | Annotation] = [
            probed(0, object=self.original(0)),
            probed(
                1, object=self.original(1), sequence=7, run="7b5c", clock_offset_ms=-20, original_name="大厅 1\n.ts"
            ),
            probed(2, object=self.original(1)),
            probed(4, object=self.original(4), announcement=4),
            explanation(20_000, 40_000),
            metadata(),
            session_ended(expected=4),
            photo(9, object=self.original(9), announcement=5),
            session_ended("end-2", expected=5),
        ]
        source, chains, made = SourceState(source_id=SOURCE), ChainState(), list[LinkAppended]()
        for event in day:
            source, judged = continuity.step(source, event, policy())
            for item in judged:
                chains, appended = chain.step(chains, item)
                made += appended
        assert chain.verify(made) == ()
        return made

    def original(self, number: int) -> ObjectRef:
        data = f"bytes of file {number}".encode() * 50
        found = Sha256(hashlib.sha256(data).hexdigest())
        stat = self.store.put_bytes("originals", f"sha256/{found[:2]}/{found}.ts", data, found, retain_until=None)
        return ObjectRef(
            bucket="originals", key=stat.key, version_id=stat.version_id, sha256=found, size_bytes=len(data)
        )

    def stage(self, name: stitch.DocumentName, data: bytes) -> Document:
        found = Sha256(hashlib.sha256(data).hexdigest())
        self.store.put_bytes("derived", f"staged/{found}", data, found, retain_until=None)
        return Document(name=name, sha256=found, size_bytes=len(data), staged_key=f"staged/{found}")

    def copy(self, folder: Path) -> None:
        for bucket in ("originals", "records"):
            for stat in self.store.list(bucket, ""):
                path = folder / bucket / stat.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.store.read(bucket, stat.key))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive copied to a folder, as a stranger gets it, with the public key beside it."""
    folder = tmp_path_factory.mktemp("disc")
    source = Source()
    links = source.links()
    account = stitch.account_of(links)
    event = RecordingStitched(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=account.revision,
        close_hash=links[-1].hash,
        close_seq=links[-1].seq,
        documents=tuple(source.stage(*item) for item in stitch.documents(links, "unbroken 0.1.0")),
        originals=stitch.originals_of(stitch.segments_of(links)),
        ended=account,
    )
    step = ArchiveStep(
        store=source.store, clock=Noon(), signer=signer(), policy=policy(), records="records", derived="derived"
    )
    asyncio.run(step.step(ArchiveState(), Received(event)))
    source.copy(folder)
    (folder / "receipt-key.pub.pem").write_bytes(signer().public_pem)
    (folder / "check.py").write_text(block("python"), "utf-8")
    return folder


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's script with nothing but the standard library (-I: no site of ours, -S: no packages)."""
    command = [sys.executable, "-I", "-S", "check.py", str(REVISION)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def openssl(folder: Path) -> str:
    line = next(line for line in block("sh").splitlines() if "pkeyutl" in line)
    return subprocess.run(line.split(), cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


def test_a_stranger_finds_everything_as_stated(copied: Path) -> None:
    done = check(copied)

    assert (done.stdout, done.stderr, done.returncode) == (
        f"12 links, 4 originals: all as stated; key {signer().key_id}\n",
        "",
        0,
    )
    assert openssl(copied) == "Signature Verified Successfully"


def test_the_key_s_id_is_computed_as_the_page_says(copied: Path) -> None:
    line = next(line for line in block("sh").splitlines() if "outform DER" in line).partition("  ")[0]

    done = subprocess.run(["bash", "-c", line], cwd=copied, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == signer().key_id


def _text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / REVISION / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")

    return change


def _line(cut: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / REVISION / "chain.jsonl"
        path.write_text("\n".join(cut(path.read_text("utf-8").splitlines())) + "\n", "utf-8")

    return change


def _original(folder: Path) -> None:
    path = next((folder / "originals").rglob("*.ts"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _missing_original(folder: Path) -> None:
    next((folder / "originals").rglob("*.ts")).unlink()


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (_original, "originals/sha256/"),
        (_missing_original, "found nothing"),
        (_text("chain.jsonl", "hall-1", "hall-2"), "link -1 hash"),
        (_line(lambda lines: lines[:3] + lines[4:]), "link 2 seq"),
        (_line(lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]), "link 0 prev"),
        (_line(lambda lines: lines[:-1]), "last line: expected close"),
        (_text("manifest.json", '"verdict":"interrupted"', '"verdict":"continuous"'), "account"),
        (_text("manifest.json", "某公司", "某某公司"), "statements"),
        (_text("manifest.json", '"software":"unbroken', '"software":"other'), "manifest.json"),
        (_text("timeline.json", '"state":"explained"', '"state":"unexplained"'), "timeline"),
        (_text("playlist.m3u8", "#EXT-X-GAP", "#EXT-X-GAB"), "playlist.m3u8"),
        (_text("receipt.json", '"lock_mode":"COMPLIANCE"', '"lock_mode":"GOVERNANCE"'), "lock"),
        (_text("receipt.json", '"close_hash":"', '"close_hash":"0'), "receipt"),
    ],
)
def test_a_stranger_finds_what_was_tampered_with(
    copied: Path, tmp_path: Path, tamper: Callable[[Path], None], named: str
) -> None:
    folder = tmp_path / "disc"
    shutil.copytree(copied, folder)

    tamper(folder)

    done = check(folder)
    assert done.returncode == 1
    assert named in done.stdout


def test_a_receipt_made_to_fit_does_not_carry_our_signature(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "disc"
    shutil.copytree(copied, folder)
    receipt: dict[str, Any] = json.loads((folder / REVISION / "receipt.json").read_bytes())
    receipt["archived_at"] = "2026-11-24T09:00:00.000Z"
    (folder / REVISION / "receipt.json").write_text(json.dumps(receipt, ensure_ascii=False), "utf-8")

    assert check(folder).returncode == 0
    assert openssl(folder) == "Signature Verification Failure"
    assert len(base64.b64decode(receipt["signature"])) == 64
