"""The plugin's program."""

from bulkhead_sdk import run

from feed_source import FeedSource

run(FeedSource, name="feed", version="0.1.0")
