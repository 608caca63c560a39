"""RSS, Atom and JSON Feed, as entries of one shape."""

from __future__ import annotations

import calendar
import hashlib
import json
import urllib.parse
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from bulkhead_sdk import schema

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_text = schema.string(optional=True)
ENTRY = schema.struct(
    {
        "id": schema.string(),
        "feed": schema.string(),
        "feed_title": _text,
        "title": _text,
        "link": _text,
        "author": _text,
        "summary": _text,
        "content": _text,
        "categories": schema.array(schema.string()),
        "published": schema.timestamp(optional=True),
        "updated": schema.timestamp(optional=True),
    },
    name="bulkhead.feed.Entry",
)


class NoFeed(Exception):
    """What was read is no feed; the text says what it looks like."""


class Feed(NamedTuple):
    title: str | None
    entries: list[dict[str, Any]]
    """In the order of the feed, without `feed` and `feed_title`."""


def parse_feed(body: bytes, content_type: str, address: str) -> Feed:
    """Raises NoFeed."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return _parse_json(body)
    # Not needed for JSON, and slow to load.
    import feedparser

    # Not where it came from: relative ids would be made absolute, and differ once the feed moves.
    headers = {"content-type": content_type or "application/xml"}
    parsed = feedparser.parse(body, response_headers=headers)
    if not parsed.get("version") and not parsed.entries:
        if start[:15].lower().startswith((b"<!doctype html", b"<html")):
            raise NoFeed("it is a web page; look in it for the address of its feed")
        raise NoFeed("it is empty" if not start else "it is neither RSS, Atom nor JSON Feed")
    entries = [_xml_entry(one, address) for one in parsed.entries]
    return Feed(_said(parsed.feed.get("title")), entries)


def _xml_entry(one: Any, address: str) -> dict[str, Any]:
    content = next((_said(part.get("value")) for part in one.get("content", ())), None)
    return _entry(
        one.get("id"),
        title=one.get("title"),
        link=_absolute(one.get("link"), address),
        author=one.get("author"),
        summary=one.get("summary"),
        content=content,
        categories=[tag.get("term") or tag.get("label") for tag in one.get("tags", ())],
        published=_of_struct(one.get("published_parsed")),
        updated=_of_struct(one.get("updated_parsed") if "updated_parsed" in one else None),
    )


def _parse_json(body: bytes) -> Feed:
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoFeed(f"it begins like JSON, but cannot be read: {error}") from None
    version = feed.get("version") if isinstance(feed, dict) else None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org/version/" not in str(version):
        raise NoFeed("it is JSON, but no JSON Feed: version and items are missing")
    return Feed(_said(feed.get("title")), [_json_entry(one) for one in items if isinstance(one, dict)])


def _json_entry(one: dict[str, Any]) -> dict[str, Any]:
    authors = one.get("authors") if isinstance(one.get("authors"), list) else [one.get("author")]
    tags = one.get("tags")
    return _entry(
        one.get("id"),
        title=one.get("title"),
        link=one.get("url") or one.get("external_url"),
        author=next((author.get("name") for author in authors if isinstance(author, dict)), None),
        summary=one.get("summary"),
        content=one.get("content_html") or one.get("content_text"),
        categories=tags if isinstance(tags, list) else [],
        published=_of_text(one.get("date_published")),
        updated=_of_text(one.get("date_modified")),
    )


def _entry(
    id: Any, published: Any, updated: Any, categories: list[Any], **texts: Any
) -> dict[str, Any]:
    said = {name: _said(value) for name, value in texts.items()}
    # Without an id the link stands for it, without either what the entry says.
    known = _said(id) or said["link"]
    if known is None:
        told = json.dumps([*said.values(), str(published)]).encode()
        known = "sha256:" + hashlib.sha256(told).hexdigest()
    named = [name for name in map(_said, categories) if name is not None]
    return {"id": known, **said, "categories": named, "published": published, "updated": updated}


def _said(value: Any) -> str | None:
    """A text that is not empty; a JSON feed may have a number as an id."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None


def _absolute(link: Any, address: str) -> Any:
    try:
        return urllib.parse.urljoin(address, link) if isinstance(link, str) and link else None
    except ValueError:
        return link


def _of_struct(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=calendar.timegm(value))
    except (ValueError, OverflowError, TypeError):
        return None


def _of_text(value: Any) -> datetime | None:
    """RFC 3339; what is none is left out, as a feed reader would."""
    if not isinstance(value, str):
        return None
    try:
        # Python 3.10 knows no Z.
        found = datetime.fromisoformat(value.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=timezone.utc)
    return found.astimezone(timezone.utc) if 1 < found.year < 9999 else None
