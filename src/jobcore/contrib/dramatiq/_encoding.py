"""The bytes of dramatiq's encoder as the arguments of a job, which are JSON.

Its default encoder writes JSON, which is kept as it is, so that a message can be read by whoever looks at the job. What
another encoder writes is kept in base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from dramatiq import JSONEncoder, get_encoder

_BEFORE, _AFTER = b'{"base64":"', b'"}'  # a message begins with the name of its queue


def to_json(data: bytes) -> bytes:
    """The arguments of the job."""
    if isinstance(get_encoder(), JSONEncoder):
        return data
    return _BEFORE + b64encode(data) + _AFTER


def from_json(args: bytes) -> bytes:
    """What the encoder wrote."""
    if args.startswith(_BEFORE):
        return b64decode(args[len(_BEFORE) : -len(_AFTER)])
    return args
