"""The page a stranger follows is true: its own script, run by a bare Python, passes on an archive and finds tampering."""

from __future__ import annotations

import ast
import hashlib
import hmac
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import chain
from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import LinkAppended
from pipeline.domain.chunks import root as chunk_root
from pipeline.domain.keys import key_id, pem_of
from pipeline.domain.probe import SegmentProbed
from tests.builders import RECORDING, SOURCE, explanation, metadata, photo, probed, session_ended
from tests.builders_archive import signer
from tests.steps.archived import THIRD, Archive, Stages, links_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
REVISION = Path("records", "recordings", SOURCE, RECORDING, "r2")


def block(language: str) -> str:
    """The page's commands about the little verifier."""
    found = re.findall(rf"```{language}\n(.*?)```", (DOCS / "evidence-format.md").read_text("utf-8"), re.DOTALL)
    return str(next(text for text in found if "little_verifier" in text))


class Source(Stages):
    """A source's day, carried through every stage's own code."""

    def links(self) -> list[LinkAppended]:
        day: list[SegmentProbed | Annotation] = [
            probed(0, object=self.original(0, ".ts")),
            probed(
                1,
                object=self.original(1, ".ts"),
                sequence=7,
                run="7b5c",
                clock_offset_ms=-20,
                original_name="大厅 1\n.ts",
            ),
            probed(2, object=self.original(1, ".ts")),
            probed(4, object=self.original(4, ".ts"), announcement=4),
            explanation(20_000, 40_000),
            metadata(),
            session_ended(expected=4),
            photo(9, object=self.original(9, ".ts"), announcement=5),
            session_ended("end-2", expected=5),
        ]
        made = list(links_of(day))
        assert chain.verify(made) == ()
        return made


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
        "2 revisions: all as stated; locks, records without a seal, files nothing names: NOT COVERED\n",
        "",
        0,
    )


def test_the_key_s_id_is_computed_as_the_page_says(copied: Path) -> None:
    line = next(line for line in _lines_of("sh") if "outform DER" in line)

    done = subprocess.run(["bash", "-c", line], cwd=copied, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == signer().key_id


def vector_row(name: str) -> str:
    found = re.search(rf"^\| {name} \| (.*) \|$", (DOCS / "evidence-format.md").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found.group(1)


def vector(name: str) -> str:
    return vector_row(name).strip("`")


@pytest.fixture(scope="module")
def little() -> Any:
    """The little verifier as a module."""
    spec = importlib.util.spec_from_file_location("little", DOCS / "little_verifier.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("what", "prefix"), [("genesis", b"avchain/genesis/v1\0"), ("link", b"avchain/segment/v1\0")])
def test_the_page_s_vectors_of_hashes_are_exact(what: str, prefix: bytes) -> None:
    record = vector(f"{what}, record")

    assert canonical(json.loads(record)).decode() == record
    assert hashlib.sha256(prefix + record.encode()).hexdigest() == vector(f"{what}, hash")


def test_the_page_s_vector_of_a_commitment_is_exact() -> None:
    metadata, salt = vector("metadata"), vector("salt")

    assert canonical(json.loads(metadata)).decode() == metadata
    assert hmac.digest(bytes.fromhex(salt), metadata.encode(), "sha256").hex() == vector("commitment")


def test_the_page_s_vector_of_a_tree_is_exact(little: Any) -> None:
    row = vector_row("tree, leaves of the chunks")
    chunks = [bytes.fromhex(found) for found in ["", *re.findall(r"`([0-9a-f]+)`", row)]]

    leaves = [hashlib.sha256(b"\0" + chunk).digest() for chunk in chunks]

    assert len(leaves) == 8
    assert little.tree(leaves).hex() == vector("tree, root") == chunk_root(leaves).hex()
    assert hashlib.new("sm3", b"abc").hexdigest() == vector("sm3 of `abc`")


@pytest.mark.parametrize("count", range(6))
def test_the_little_verifier_s_tree_is_ours(little: Any, count: int) -> None:
    leaves = [bytes([number]) * 32 for number in range(count)]

    assert little.tree(leaves) == chunk_root(leaves)


def test_the_chain_names_no_party_and_the_manifest_does(copied: Path) -> None:
    party = "某公司".encode()

    assert party not in (copied / REVISION / "chain.jsonl").read_bytes()
    assert party in (copied / REVISION / "manifest.json").read_bytes()


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
        (_text("manifest.json", "某公司", "某某公司"), "disclosed: expected"),
        (_text("manifest.json", '"made_by":"officer-1"', '"made_by":"officer-2"'), "statements: expected"),
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


def _run(folder: Path, *keys: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "little_verifier.py", ".", *keys]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_with_the_key_in_the_copy_itself_a_stranger_is_told_that_it_proves_less(copied: Path) -> None:
    done = _run(copied)

    assert done.stdout.startswith("2 revisions: all as stated; whose key signed (it came from the copy itself)")
    assert done.returncode == 0


def test_a_stranger_gives_the_keys_of_all_times_in_any_order(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "later.pem").write_bytes(pem_of(bytes(32)))

    both = _run(copied, str(tmp_path / "later.pem"), "receipt-key.pub.pem")
    only = _run(copied, str(tmp_path / "later.pem"))

    assert (both.returncode, only.returncode) == (0, 1)
    assert f"expected ['{key_id(bytes(32))}'], found {signer().key_id}" in only.stdout


def test_the_little_verifier_is_little_and_needs_nothing() -> None:
    tree = ast.parse((DOCS / "little_verifier.py").read_text("utf-8"))

    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported <= sys.stdlib_module_names
    assert len((DOCS / "little_verifier.py").read_text("utf-8").splitlines()) < 240


def test_a_stranger_checks_seals_and_reports_with_openssl(tmp_path: Path) -> None:
    Archive(checkpoints=True).copy(tmp_path)
    shutil.copy(DOCS / "little_verifier.py", tmp_path)
    whole = _run(tmp_path, "receipt-key.pub.pem")
    records = tmp_path / "records"
    miss, other = (records / "deadlines" / SOURCE / THIRD / f"{name}.json" for name in ("missed", "late"))
    miss.write_bytes(other.read_bytes())
    (report,) = (records / "reports").rglob("*.json")
    report.write_bytes(report.read_bytes().replace(b"2026-11-23", b"2026-11-22"))

    changed = _run(tmp_path, "receipt-key.pub.pem")

    assert (whole.returncode, whole.stdout.partition(":")[0]) == (0, "4 revisions")
    assert changed.returncode == 1
    first, second = changed.stdout.splitlines()
    assert first.startswith(f"records deadlines/{SOURCE}/{THIRD}/missed.json sealed: expected")
    assert second == "records reports/2026-11-24/all.json is signed: expected True, found False"


def test_the_little_verifier_says_nothing_of_a_folder_without_recordings(tmp_path: Path) -> None:
    shutil.copy(DOCS / "little_verifier.py", tmp_path)

    done = _run(tmp_path)

    assert done.returncode == 1
    assert "all as stated" not in done.stdout
    assert "no copied recordings in ." in done.stderr
