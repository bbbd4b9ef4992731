"""Canonical bytes of a value: RFC 8785 (JCS) restricted to what we hash.

Only ``None``, booleans, strings, integers up to 2**53-1, lists and objects with string keys. Floats are refused: two
languages print them differently, and evidence must hash alike in all of them. Keys sort by UTF-16 code units, as the
RFC demands; a lone surrogate is refused because it has no UTF-8 form.

:func:`plain` turns domain values into such JSON; parsing the wire form of a value gives the same, so a digest of a part of
a message can be checked by anyone who holds the message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TypeAlias

from pipeline.domain.time import Nanos, WallMs, to_rfc3339

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_SAFE_INTEGER = (1 << 53) - 1
"""Largest integer every JSON reader keeps exactly (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2)."""


def canonical(value: Json) -> bytes:
    """The one UTF-8 encoding of *value*; raises ``ValueError`` for floats, unsafe integers and lone surrogates."""
    return _text(value).encode("utf-8", errors="strict")


def digest(value: Json) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def plain(value: object) -> Json:
    """A domain value as JSON: dataclasses become objects with every field (``None`` stays ``null``), tuples lists, wall
    times RFC 3339, nanoseconds decimal strings. Raises ``ValueError`` for anything that has no such form."""
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value  # type: ignore[return-value]  # narrowed by exact type, which mypy does not follow
    if isinstance(value, WallMs):
        return to_rfc3339(value)
    if isinstance(value, Nanos):
        return str(int(value))
    if is_dataclass(kind):
        return {name: plain(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    raise ValueError(f"has no plain form: {kind.__name__}")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _text(value: Json) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"integer beyond 2**53-1 must be written as a string: {value}")
        return str(value)
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_text(value[key])}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_text, value)) + "]"
    raise ValueError(f"cannot be hashed canonically: {type(value).__name__}")
