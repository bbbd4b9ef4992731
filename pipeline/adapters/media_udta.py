"""Who made a file, as MP4 and QuickTime state it: tags in the index, from three conventions.

QuickTime puts ``©mak``, ``©mod`` and others into user data, each text behind its length and language (QTFF, user data
atoms); Apple and Android put a metadata box there or beside it, with a table of names and a list of values by their
number (QTFF, metadata atoms). What does not fit into its box, or is no text, is passed over: a device is a hint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.adapters.media_bmff import Inner, firsts, inside

_QUICKTIME: Final = {b"\xa9mak": "make", b"\xa9mod": "model", b"\xa9too": "encoder", b"\xa9swr": "encoder"}
_UTF8: Final = 1
_MOST_TAGS: Final = 256


def tags(moov: bytes) -> dict[str, str]:
    """Names and texts in the body of an index."""
    try:
        return dict(_tags(moov))
    except ValueError:
        return {}


def _tags(moov: bytes) -> Iterator[tuple[str, str]]:
    for child in inside(moov, 0, len(moov)):
        if child.kind == b"meta":
            yield from _named(moov, child)
        elif child.kind == b"udta":
            for box in inside(moov, child.body, child.end):
                if box.kind in _QUICKTIME:
                    end = box.body + 4 + int.from_bytes(moov[box.body : box.body + 2], "big")
                    yield _QUICKTIME[box.kind], _text(moov[box.body + 4 : min(end, box.end)])
                elif box.kind == b"meta":
                    yield from _named(moov, box)


def _named(moov: bytes, meta: Inner) -> Iterator[tuple[str, str]]:
    """Values by the table of their names. In ISO files the box has a version before its children, in QuickTime it has none."""
    begin = meta.body if moov[meta.body + 4 : meta.body + 8] == b"hdlr" else meta.body + 4
    parts = firsts(moov, begin, meta.end)
    if b"keys" not in parts or b"ilst" not in parts:
        return
    keys, values = parts[b"keys"], parts[b"ilst"]
    names = [moov[key.body : key.end] for key in inside(moov, keys.body + 8, keys.end)][:_MOST_TAGS]
    for item in inside(moov, values.body, values.end):
        number = int.from_bytes(item.kind, "big")
        data = firsts(moov, item.body, item.end).get(b"data")
        if (
            0 < number <= len(names)
            and data is not None
            and moov[data.body : data.body + 4] == _UTF8.to_bytes(4, "big")
        ):
            yield _text(names[number - 1]), _text(moov[data.body + 8 : data.end])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 ")
