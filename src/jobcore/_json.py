# cython: language_level=3, annotation_typing=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=python, auto_pickle=False, autotestdict=False
"""The one JSON codec: msgspec, or the standard library where msgspec cannot be imported.

Both read what either writes, and write the same bytes for plain JSON values, but for the exponents of numbers. What has
no JSON form (NaN, infinities, lone surrogates, unknown types) is refused here, so that a job that was accepted can
always be read back.
"""

# pyright: reportUnknownArgumentType=false
# (JSON values are Any.)

from __future__ import annotations

import json
import math
from typing import Any

from jobcore._text import exact, may_hold_non_finite

try:
    import msgspec
except ImportError:  # no wheel for this interpreter
    msgspec = None  # type: ignore[assignment]


def _holds_non_finite(value: Any) -> bool:
    # An explicit stack: what msgspec encoded may be nested deeper than Python recurses.
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                return True
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            pending.extend(item)
    return False


if msgspec is not None:
    _encode = msgspec.json.Encoder().encode
    _to_builtins = msgspec.to_builtins
    _decode = msgspec.json.Decoder().decode
    _decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
else:

    def _encode(value: Any, /) -> bytes:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()

    def _to_builtins(value: Any, /) -> Any:
        return value

    _decode = json.loads


def encode(value: Any) -> bytes:
    """JSON text of `value`; `TypeError` for unknown types, another exception for what JSON cannot say."""
    raw = _encode(value)
    if may_hold_non_finite(raw) and _holds_non_finite(_to_builtins(value)):
        raise ValueError("NaN and infinities are not JSON")
    return exact(raw)


def decode(raw: bytes | str) -> Any:
    """The value of a JSON text, made afresh; `ValueError` for a text that is not JSON."""
    return _decode(raw)


def decode_document(text: bytes | str) -> tuple[dict[str, Any], bytes]:
    """The fields of a JSON object, with its member "args" as it was written (in the form of `encode`, if it was)."""
    if msgspec is None:
        members = _decode(text)
        return members, _encode(members.pop("args"))
    members = _decode_members(text)
    args = bytes(members.pop("args"))
    return {name: _decode(member) for name, member in members.items()}, args


def encode_document(fields: dict[str, Any], args: bytes) -> str:
    """A JSON object of `fields` and, byte for byte, of the JSON text `args` as its member "args"."""
    return f'{encode(fields).decode()[:-1]},"args":{args.decode()}}}'
