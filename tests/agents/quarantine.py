"""How the tests spell a quarantined input on the wire; the product's own spelling is ``wire.codec``'s."""

from __future__ import annotations

import msgspec

from pipeline.agents.stage import Headers
from pipeline.domain.quarantine import Quarantined


def encode(item: Quarantined, _headers: Headers) -> bytes:
    return msgspec.json.encode(item, enc_hook=int)
