"""The page a stranger follows is true: its own script, run by a bare Python, passes on an archive and finds tampering."""

from __future__ import annotations

import ast
import asyncio
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
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import Document, RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.steps.archive import ArchiveStep
from tests.builders import RECORDING, SOURCE, T0, explanation, metadata, photo, policy, probed, session_ended
from tests.builders_archive import DAY_MS, Trusting, signer

DOCS = Path(__file__).resolve().parents[2] / "docs"
REVISION = Path("records", "recordings", SOURCE, RECORDING, "r2")


class Noon:
    def now(self) -> WallMs:
        return WallMs(T0 + DAY_MS)


@dataclass(frozen=True)
class Received:
    event: RecordingStitched


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", (DOCS / "evidence-format.md").read_text("utf-8"), re.DOTALL)
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

    def archive(self, links: list[LinkAppended]) -> None:
        """The revision that the last of *links* closes."""
        account = stitch.account_of(links)
        event = RecordingStitched(
            source_id=SOURCE,
            source_kind="cctv",
            unit="service-hall",
            recording_id=RECORDING,
            revision=account.revision,
            close_hash=links[-1].hash,
            close_seq=links[-1].seq,
            documents=tuple(self.stage(*item) for item in stitch.documents(links, "unbroken 0.1.0")),
            originals=stitch.originals_of(stitch.segments_of(links)),
            ended=account,
        )
        step = ArchiveStep(
            store=self.store,
            trust=Trusting(),
            clock=Noon(),
            signer=signer(),
            policy=policy(),
            records="records",
            derived="derived",
        )
        asyncio.run(step.step(ArchiveState(), Received(event)))

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
    for number, link in enumerate(links, start=1):
        if link.kind == "close":
            source.archive(links[:number])
    source.copy(folder)
    (folder / "receipt-key.pub.pem").write_bytes(signer().public_pem)
    shutil.copy(DOCS / "little_verifier.py", folder)
    return folder


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's script with nothing but the standard library (-I: no site of ours, -S: no packages)."""
    command = [sys.executable, "-I", "-S", *next(line for line in _lines_of("sh") if "little" in line).split()[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def _lines_of(language: str) -> list[str]:
    return [line.partition("  #")[0].rstrip() for line in block(language).splitlines()]


def test_a_stranger_finds_everything_as_stated(copied: Path) -> None:
    done = check(copied)

    assert (done.stdout, done.stderr, done.returncode) == (
        "2 revisions: all as stated; locks and files nothing names: NOT COVERED\n",
        "",
        0,
    )


def test_the_key_s_id_is_computed_as_the_page_says(copied: Path) -> None:
    line = next(line for line in _lines_of("sh") if "outform DER" in line)

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
        (_line(lambda lines: lines[:3] + lines[4:]), "link 2 number"),
        (_line(lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]), "link 0: expected"),
        (_line(lambda lines: lines[:-1]), "last line: expected close"),
        (_text("manifest.json", '"verdict":"interrupted"', '"verdict":"continuous"'), "account"),
        (_text("manifest.json", '"software":"unbroken', '"software":"other'), "manifest.json: expected"),
        (_text("timeline.json", '"state":"explained"', '"state":"unexplained"'), "timeline.json: expected"),
        (_text("playlist.m3u8", "#EXT-X-GAP", "#EXT-X-GAB"), "playlist.m3u8: expected"),
        (_text("receipt.json", '"lock_mode":"COMPLIANCE"', '"lock_mode":"GOVERNANCE"'), "lock of"),
        (_text("receipt.json", '"close_hash":"', '"close_hash":"0'), "receipt.json: expected"),
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
    (folder / REVISION / "receipt.json").write_bytes(canonical(receipt))

    done = check(folder)

    assert done.stdout == f"{RECORDING} r2 receipt.json is signed: expected True, found False\n"
    assert done.returncode == 1


@pytest.mark.parametrize("absent", ["key", "archive"])
def test_what_cannot_be_looked_at_never_passes(copied: Path, tmp_path: Path, absent: str) -> None:
    folder = tmp_path / "disc"
    shutil.copytree(copied, folder)
    (folder / "receipt-key.pub.pem").unlink() if absent == "key" else shutil.rmtree(folder / "records")

    assert check(folder).returncode == 1


def test_the_little_verifier_is_little_and_needs_nothing() -> None:
    tree = ast.parse((DOCS / "little_verifier.py").read_text("utf-8"))

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported <= sys.stdlib_module_names
    assert len((DOCS / "little_verifier.py").read_text("utf-8").splitlines()) < 180
