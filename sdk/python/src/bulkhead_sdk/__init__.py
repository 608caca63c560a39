"""Write a Bulkhead connector in Python: see README.md."""

from . import schema
from .config import Secret, key
from .connector import Check, Connector, ConnectorContext
from .errors import (
    AuthError,
    ConfigError,
    DataError,
    PluginError,
    RateLimitedError,
    RecordErrors,
    RetriableError,
)
from .missing_package import tell_missing_packages
from .run import run
from .schema import Schema
from .sink import Sink, SinkOffset, SinkPartition, sink
from .sink_record import Header, SinkRecord
from .source import Source, source
from .source_record import Checkpoint, Record
from .version import SDK_VERSION as __version__

__all__ = [
    "AuthError",
    "Check",
    "Checkpoint",
    "ConfigError",
    "Connector",
    "ConnectorContext",
    "DataError",
    "Header",
    "PluginError",
    "RateLimitedError",
    "Record",
    "RecordErrors",
    "RetriableError",
    "Schema",
    "Secret",
    "Sink",
    "SinkOffset",
    "SinkPartition",
    "SinkRecord",
    "Source",
    "__version__",
    "key",
    "run",
    "schema",
    "sink",
    "source",
]

tell_missing_packages()
