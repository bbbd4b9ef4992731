"""``python -m tests.wire.pin``: write down the digests of the schemas as published.

A schema that was part of a release is frozen; run this for a new one, or before the first release.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import schemas

PINS = Path(__file__).with_name("published.json")


def pins() -> dict[str, str]:
    """SHA-256 of each schema file as it is now."""
    return {name: hashlib.sha256(schemas.text(name)).hexdigest() for name in schemas.names()}


if __name__ == "__main__":
    PINS.write_text(json.dumps(pins(), indent=2) + "\n", "utf-8")
