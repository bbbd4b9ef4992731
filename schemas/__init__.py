"""The contracts as files: JSON Schema 2020-12, one per message, archived document and machine-readable answer.

``README.md`` beside them lists each one and says when and how they may change.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Final

SUFFIX: Final = ".schema.json"


def names() -> tuple[str, ...]:
    """The schemas there are, e.g. ``segment.landed.v1``."""
    return tuple(sorted(f.name.removesuffix(SUFFIX) for f in files(__name__).iterdir() if f.name.endswith(SUFFIX)))


def text(name: str) -> bytes:
    """A schema file's bytes, as published."""
    return (files(__name__) / f"{name}{SUFFIX}").read_bytes()


def load(name: str) -> dict[str, Any]:
    """A schema, parsed."""
    schema: dict[str, Any] = json.loads(text(name))
    return schema
