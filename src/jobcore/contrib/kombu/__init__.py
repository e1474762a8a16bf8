"""A transport for kombu, and so a broker for Celery: `jobcore+memory://`, or `jobcore+sqlite:///celery.db`.

Importing this makes the scheme `jobcore` known to kombu. Where nothing imports it, name the class: kombu's
`Connection(url, transport="jobcore.contrib.kombu:Transport")`, Celery's setting `broker_transport`.
"""

from jobcore.errors import NotInstalled

try:
    from kombu.transport import TRANSPORT_ALIASES
except ImportError as _error:
    raise NotInstalled("kombu", "kombu") from _error

from jobcore.contrib.kombu._transport import Channel, Transport

__all__ = ["Channel", "Transport"]

TRANSPORT_ALIASES["jobcore"] = "jobcore.contrib.kombu:Transport"
