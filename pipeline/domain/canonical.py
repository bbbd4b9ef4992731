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
    if kind is WallMs:
        return to_rfc3339(value)  # type: ignore[arg-type]
    if kind is tuple or kind is list:
        return [plain(item) for item in value]  # type: ignore[attr-defined]
    if kind is Nanos:
        return str(int(value))  # type: ignore[call-overload]
    if is_dataclass(kind):
        return {name: plain(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    raise ValueError(f"has no plain form: {kind.__name__}")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _text(value: Json) -> str:
    """The encoder of the standard library sorts keys by code points, which for ASCII keys is the RFC's order; it knows
    floats and big integers, so they are refused before. Any other key takes the slow way."""
    if _check(value):
        return _encode(value)
    return _slow_text(value)


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _check(value: object) -> bool:
    """Whether all keys are ASCII; raises ``ValueError`` for what has no canonical form."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        ascii_keys = True
        for key, item in value.items():  # type: ignore[attr-defined]
            if not key.isascii():
                ascii_keys = False
            if type(item) is not str and item is not None and not _check(item):
                ascii_keys = False
        return ascii_keys
    if kind is list or kind is tuple:
        return all([_check(item) for item in value])  # type: ignore[attr-defined]  # noqa: C419  # every item is checked
    if isinstance(value, int):
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise ValueError(f"integer beyond 2**53-1 must be written as a string: {value}")
        return True
    if isinstance(value, (str, Mapping, list, tuple)):
        return False
    raise ValueError(f"cannot be hashed canonically: {kind.__name__}")


def _slow_text(value: Json) -> str:
    _check(value)
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_encode(key)}:{_slow_text(value[key])}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_slow_text, value)) + "]"
    return _encode(value)
