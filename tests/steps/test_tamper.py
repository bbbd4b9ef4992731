"""Whatever is done to a copied archive, both verifiers name what it was done to; an archive left alone passes both."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from pipeline.adapters import signing
from pipeline.adapters.objects_folder import FolderObjects
from pipeline.domain.verify import Item
from pipeline.steps.verify import Verification
from tests.builders_archive import signer
from tests.steps.archived import Archive
from tests.steps.tampering import Files, Named, Tampering, all_of

SEED: Final = 20261124
KEYS = {signer().key_id: signer().public}
LITTLE: Final = Path(__file__).resolve().parents[2] / "docs" / "little_verifier.py"
PAGE: Final = LITTLE.with_name("verify.md")


class Copy:
    """A folder that holds one archive after another; only what differs is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        Archive(checkpoints=True).copy(folder)
        self.key = folder / "receipt-key.pub.pem"
        self.good: Files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path != self.key and path.parent.name != "keys"
        }
        self._now = dict(self.good)

    def lay(self, files: Files) -> None:
        for name in self._now.keys() - files.keys():
            path = self.folder / name
            path.unlink()
            while not any(path.parent.iterdir()):
                path = path.parent
                path.rmdir()
        for name, data in files.items():
            if self._now.get(name) != data:
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        self._now = dict(files)


def ours(copy: Copy) -> list[Item]:
    store = FolderObjects(copy.folder)
    reader = Verification(
        store=store, records="records", originals="originals", locks=False, keys=KEYS, signed=signing.verify
    )
    return list(reader.items())


@pytest.fixture(scope="module")
def little() -> Any:
    """The little verifier as a module. Starting openssl twice for each of thousands of receipts would take minutes:
    test_evidence_format has it do so, here the same signatures are checked by a library."""
    spec = importlib.util.spec_from_file_location("little_verifier", LITTLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.is_signed = lambda _key, message, signature: signing.verify(signer().public, message, signature)
    return module


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("disc"))


def is_told(named: Named, made: Tampering, items: list[Item]) -> bool:
    return any(
        item.result == made.result
        and item.about == named.about
        and item.check in named.checks
        and named.place in (item.place or item.found)
        for item in items
    )


def is_told_by_little(named: Named, lines: list[str]) -> bool:
    """The little one has no names for checks; a document that is no such document ends its look at that revision."""
    return any(
        f"{named.about} " in line and (named.place in line or "not as the format says" in line) for line in lines
    )


def test_an_archive_left_alone_passes_both(copy: Copy, little: Any) -> None:
    copy.lay(copy.good)

    assert {item.check for item in ours(copy) if item.result != "pass"} == {"locks", "checkpoints"}
    assert list(little.check(copy.folder, {signer().key_id: copy.key})) == []


def test_a_thousand_tamperings_are_found_and_named_by_both(copy: Copy, little: Any) -> None:
    kinds, results, missed, by_little = Counter[str](), Counter[str](), list[str](), 0

    for kind, made in all_of(copy.good, Random(SEED)):
        assert made.named
        assert made.files != copy.good
        copy.lay(made.files)
        kinds[kind] += 1
        results[made.result] += 1
        items = ours(copy)
        missed += [f"{kind}: {named}" for named in made.named if not is_told(named, made, items)]
        covered = [named for named in made.named if made.little and named.checks != ("checkpoints",)]
        by_little += bool(covered)
        if covered:
            lines = list(little.check(copy.folder, {signer().key_id: copy.key}))
            missed += [f"{kind}: {named} (little)" for named in covered if not is_told_by_little(named, lines)]

    assert missed == []
    assert kinds.total() >= 1000
    assert min(kinds.values()) >= 3
    told = (
        f"{kinds.total():,} ways",
        f"failed {results['fail']:,} times",
        f"named {results['not_covered']:,} times",
        f"found the {by_little:,} that",
    )
    assert [words for words in told if words not in PAGE.read_text("utf-8")] == []
