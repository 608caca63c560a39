"""Write a Bulkhead connector in Python: see README.md."""

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .stage import (
        DROP,
        ConnectData,
        Converted,
        Converter,
        HeaderConverter,
        KafkaData,
        KafkaHeader,
        Predicate,
        StageRecord,
        Transform,
        predicate,
        transform,
    )

_STAGE_WORDS = (
    "DROP",
    "ConnectData",
    "Converted",
    "Converter",
    "HeaderConverter",
    "KafkaData",
    "KafkaHeader",
    "Predicate",
    "StageRecord",
    "Transform",
    "predicate",
    "transform",
)

__all__ = [
    "AuthError",
    "Check",
    "Checkpoint",
    "ConfigError",
    "ConnectData",
    "Connector",
    "ConnectorContext",
    "Converted",
    "Converter",
    "DROP",
    "DataError",
    "Header",
    "HeaderConverter",
    "KafkaData",
    "KafkaHeader",
    "PluginError",
    "Predicate",
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
    "StageRecord",
    "Transform",
    "__version__",
    "key",
    "predicate",
    "run",
    "schema",
    "sink",
    "source",
    "transform",
]


def __getattr__(name: str) -> Any:
    """Sources and sinks do not load what stages need."""
    if name in _STAGE_WORDS:
        from . import stage

        return getattr(stage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")



tell_missing_packages()
