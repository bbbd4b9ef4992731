"""A file that only its owner may read, written once: whole or not at all, and never over another."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_once(path: Path, data: bytes) -> None:
    """*data* at *path*, durable; raises ``FileExistsError`` if something is there."""
    descriptor, name = mkstemp(prefix=path.name, suffix=".part", dir=path.parent)  # mode 600 from the first moment
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    finally:
        part.unlink()
