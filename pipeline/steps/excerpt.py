"""Excerpt, the reading and writing: a part of a file with its proof into a folder, and a folder's excerpt back.

The file is read once; of the excerpt's own bytes only one piece is in memory at a time, whatever its size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.domain.archive import signed_message
from pipeline.domain.chain import LinkAppended
from pipeline.domain.chunks import CHUNK_BYTES, leaf
from pipeline.domain.errors import Malformed
from pipeline.domain.excerpt import (
    EXCERPT_FORMAT,
    Answer,
    Excerpt,
    check_bytes,
    check_chain,
    check_receipt,
    excerpt,
    excerpt_document,
)
from pipeline.domain.identity import RecordingId, SourceId, recording_id, source_id
from pipeline.domain.seal import raw_signature
from pipeline.steps.digests import Digests
from pipeline.steps.shelf import Beside, links_in
from pipeline.wire import codec, topics

BYTES: Final = "excerpt.bin"
DOCUMENT: Final = "excerpt.json"
_PIECE_BYTES: Final = 1 << 20


def make(original: BinaryIO, first_byte: int, last_byte: int, folder: Path) -> Excerpt:
    """Write the chunks of *original* (a file that can be read again) around those bytes, and their proof, into the new
    *folder*. Raises ``ValueError`` for bytes the file does not have, ``FileExistsError`` for a folder that is there."""
    digests = Digests(tree=True, sm3=False)
    while piece := original.read(_PIECE_BYTES):
        digests.update(piece)
    done = digests.done()
    told = excerpt(done.sha256, done.size_bytes, done.leaves, first_byte, last_byte)
    folder.mkdir(parents=True)
    with (folder / BYTES).open("wb") as part:
        original.seek(told.first_byte)
        left = told.last_byte + 1 - told.first_byte
        while left and (piece := original.read(min(left, _PIECE_BYTES))):
            part.write(piece)
            left -= len(piece)
    (folder / DOCUMENT).write_bytes(excerpt_document(told))
    return told


def check(
    folder: Path, keys: Mapping[str, bytes], signed: Callable[[bytes, bytes, bytes], bool]
) -> tuple[Excerpt, tuple[Answer, ...]]:
    """The excerpt in *folder* and what each step of its proof came to; ``chain.jsonl`` and ``receipt.json`` are looked for
    beside it. Raises :class:`Malformed`, naming the file, for one that is not what its name says, ``OSError`` for none."""
    told = _told(folder / DOCUMENT)
    with (folder / BYTES).open("rb") as part:
        run = [leaf(chunk) for chunk in _chunks(part)]
    links = _links(folder / "chain.jsonl")
    receipt, genuine = None, False
    if (folder / "receipt.json").is_file():
        receipt = codec.decode(topics.ARCHIVED.name, (folder / "receipt.json").read_bytes())
        key = keys.get(receipt.key_id)
        genuine = key is not None and signed(key, signed_message(receipt), raw_signature(receipt.signature))
    answers = check_bytes(told, run), check_chain(told, links), check_receipt(told, links, receipt, keys, genuine)
    return told, answers


def _chunks(part: BinaryIO) -> Iterator[bytes]:
    while chunk := part.read(CHUNK_BYTES):
        yield chunk


def _told(path: Path) -> Excerpt:
    data = path.read_bytes()
    try:
        told = codec.load_state(Excerpt, json.loads(data))
        if excerpt_document(told) != data:
            raise ValueError(f"expected an {EXCERPT_FORMAT} in its one form")
    except (ValueError, RecursionError, Malformed) as exc:
        raise Malformed(f"this is no excerpt's document: {exc} ({path})") from exc
    return told


def _links(path: Path) -> tuple[LinkAppended, ...] | None:
    """The links of the chain at *path*, or ``None`` if there is none; a line that is no link is left out, which shows."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    whose = _whose(data, path)
    links, faults = links_in(data, *whose, Beside())
    if faults:
        raise Malformed(
            f"this is no chain: {faults[0].place} expected {faults[0].expected}, {faults[0].found} ({path})"
        )
    return links


def _whose(data: bytes, path: Path) -> tuple[SourceId, RecordingId]:
    try:
        genesis: Mapping[str, Any] = json.loads(json.loads(data.split(b"\n", 1)[0])["record"])
        return source_id(genesis["source_id"]), recording_id(genesis["recording_id"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise Malformed(f"this is no chain: its first line is no genesis: {exc} ({path})") from exc
