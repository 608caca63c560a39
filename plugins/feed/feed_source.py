"""Polls a feed and yields its new entries, each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Literal

from bulkhead_sdk import Check, Checkpoint, ConfigError, PluginError, Record, Secret, Source, key, schema

from entries import ENTRY, Feed, NoFeed, parse_feed
from fetch import Fetched, Fetcher, check_address
from seen import Seen

# Entries that share an offset: what is repeated, at most, after a crash.
_ENTRIES_PER_YIELD = 100
_ID = schema.string()


@dataclass
class Config:
    url: str = key(doc="Where the feed is: http://, https:// or file://.", non_empty=True)
    topic: str = key(doc="Where the entries go.", non_empty=True)
    poll_interval_ms: int = key(
        default=300_000, min=10, max=2_592_000_000, doc="How long to wait between two looks at the feed."
    )
    begin: Literal["all", "new"] = key(
        default="all",
        doc="At the very first look: all entries that the feed has, or only those that come later.",
        importance="medium",
    )
    authorization: Secret | None = key(
        default=None, doc="Sent in the header Authorization, such as: Bearer TOKEN.", importance="medium"
    )
    request_timeout_ms: int = key(
        default=30_000, min=1, max=3_600_000, doc="How long one look may take in all.", importance="low"
    )
    max_bytes: int = key(
        default=8_388_608, min=1, max=1_073_741_824, doc="The largest feed that is read.", importance="low"
    )
    seen_max: int = key(
        default=2_000,
        min=1,
        max=5_000,
        doc="How many entries are remembered as sent; of a longer feed only so many are looked at.",
        importance="low",
    )

    def __post_init__(self) -> None:
        try:
            check_address(self.url)
        except ValueError as error:
            raise ValueError(f"Invalid value {self.url} for configuration url: {error}") from None
        if self.authorization is not None and not _is_header(self.authorization.reveal()):
            raise ValueError("Invalid value [hidden] for configuration authorization: no line of ASCII text")

    def fetcher(self) -> Fetcher:
        secret = None if self.authorization is None else self.authorization.reveal().strip()
        return Fetcher(self.url, secret, self.request_timeout_ms / 1000, self.max_bytes)


def _is_header(text: str) -> bool:
    return text.strip() != "" and all(32 <= ord(one) <= 126 for one in text.strip())


class FeedSource(Source):
    """New entries of an RSS, Atom or JSON feed, each once."""

    class_name = "bulkhead.FeedSource"
    config_class = Config
    # One offset for what is yielded together: it holds the ids seen, which are too many for each record.
    offset_mode = "last"

    @classmethod
    def validate(cls, check: Check) -> None:
        if check.config.url is None:
            return
        try:
            Config.__post_init__(check.config)
        except ValueError:
            # Told already, as what the config itself refuses.
            return
        if check.live and None not in (check.config.request_timeout_ms, check.config.max_bytes):
            try:
                fetched = Config.fetcher(check.config).fetch(None, None)
                _parse(fetched, check.config.url)
            except PluginError as error:
                check.error("url", f"{error}. {error.hint}".rstrip(". "))

    def read(self) -> Iterator[Any]:
        config: Config = self.config
        fetcher = config.fetcher()
        partition = {"feed": config.url}
        stored = self.offset(partition)
        offset = stored or {}
        etag, modified = offset.get("etag"), offset.get("modified")
        seen = Seen(config.seen_max, str(offset.get("seen", "")))
        skip = stored is None and config.begin == "new"
        while not self.stopping:
            fetched = fetcher.fetch(etag, modified)
            if fetched.body is not None:
                feed = _parse(fetched, config.url)
                yield from self._news(feed, partition, seen, skip)
                skip = False
                # Only now: before, the rest of this answer would not be asked for again.
                if (fetched.etag, fetched.modified) != (etag, modified) or stored is None:
                    etag, modified = fetched.etag, fetched.modified
                    stored = {"etag": etag, "modified": modified, "seen": seen.text()}
                    yield Checkpoint(partition, stored)
            self.sleep(config.poll_interval_ms / 1000)

    def _news(self, feed: Feed, partition: dict[str, str], seen: Seen, skip: bool) -> Iterator[Any]:
        """Oldest first, as they came; a feed has its newest on top."""
        most = self.config.seen_max
        entries = {one["id"]: one for one in reversed(feed.entries[:most])}
        if len(feed.entries) > most:
            self.log.warning(
                "the feed has %d entries, of which the first %d are looked at: raise seen.max",
                len(feed.entries),
                most,
            )
        seen.keep(entries)
        news = [one for one in entries.values() if not seen.has(one["id"])]
        if skip:
            for one in news:
                seen.add(one["id"])
            return
        for start in range(0, len(news), _ENTRIES_PER_YIELD):
            batch = [self._record(one, feed.title, partition) for one in news[start : start + _ENTRIES_PER_YIELD]]
            for one in news[start : start + _ENTRIES_PER_YIELD]:
                seen.add(one["id"])
            batch[-1].source_offset = {"etag": None, "modified": None, "seen": seen.text()}
            yield batch

    def _record(self, entry: dict[str, Any], title: str | None, partition: dict[str, str]) -> Record:
        value = {**entry, "feed": self.config.url, "feed_title": title}
        return Record(
            self.config.topic,
            value,
            entry["id"],
            source_partition=partition,
            value_schema=ENTRY,
            key_schema=_ID,
        )


def _parse(fetched: Fetched, address: str) -> Feed:
    try:
        return parse_feed(fetched.body or b"", fetched.content_type, address)
    except NoFeed as error:
        raise ConfigError(
            f"there is no feed at {address}: {error}", hint="look whether url is right: open it in a browser"
        ) from None
