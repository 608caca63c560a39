"""The feed source against a real server: entries once, whatever happens between two looks."""

import gzip
import http.server
import json
import sys
import tempfile
import threading
import unittest
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bulkhead_sdk.harness import HarnessError, harness

from entries import NoFeed, parse_feed
from feed_source import FeedSource
from fetch import check_address
from seen import Seen


def rss(*ids):
    items = "".join(f"<item><guid>{one}</guid><title>Title {one}</title></item>" for one in ids)
    return f'<rss version="2.0"><channel><title>News</title>{items}</channel></rss>'.encode()


class Server:
    """Answers with what the test says; keeps the headers it was asked with."""

    def __init__(self):
        server = self
        self.status, self.headers, self.body = 200, {}, b""
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, headers, body = server.status, server.headers, server.body
                server.asked.append((self.path, dict(self.headers)))
                if headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
                    status, body = 304, b""
                if status == 301 and self.path != "/feed":
                    status, body = 200, rss("moved")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/feed"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class FeedTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def harness(self, **more):
        return harness(FeedSource, {"url": self.server.url, "topic": "news", **more}, wait=20)

    def waits(self, task, times):
        """Until the source has looked so often and sleeps."""
        task._await(lambda: len(self.server.asked) >= times and task.clock.waiting > 0, f"look {times} times")

    def ids(self, records):
        return [one.key for one in records]

    def test_new_entries_come_once_oldest_first_over_crashes_and_restarts(self):
        self.server.body = rss(3, 2, 1)
        with self.harness() as task:
            first = task.read(3)
            self.assertEqual(self.ids(first), ["1", "2", "3"])
            self.assertEqual(first[0].value["feed_title"], "News")
            self.assertEqual(first[2].source_partition, {"feed": self.server.url})
            task.commit()
            self.server.body = rss(5, 4, 3, 2)
            self.waits(task, 1)
            task.clock.advance(300)
            self.assertEqual(self.ids(task.read(2)), ["4", "5"])
            # Not committed: they come again.
            task.crash()
            task.resume()
            self.assertEqual(self.ids(task.read(2)), ["4", "5"])
            task.commit()
            task.resume()
            self.waits(task, 4)
            self.server.body = rss(6, 5, 1)
            task.clock.advance(300)
            # 1 has been away and came back.
            self.assertEqual(self.ids(task.read(1)), ["6"])

    def test_what_has_not_changed_is_not_read_again(self):
        self.server.body = rss(1)
        self.server.headers = {"ETag": '"a"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        with self.harness() as task:
            task.read(1)
            task._await(lambda: len(task._checkpoints) > 0, "tell its place")
            task.commit()
            task.resume()
            self.waits(task, 2)
            asked = self.server.asked[-1][1]
            self.assertEqual(asked["If-None-Match"], '"a"')
            self.assertEqual(asked["If-Modified-Since"], "Mon, 01 Jan 2024 00:00:00 GMT")
            self.server.body, self.server.headers = rss(2, 1), {"ETag": '"b"'}
            task.clock.advance(300)
            self.assertEqual(self.ids(task.read(1)), ["2"])

    def test_only_what_comes_later_if_wanted(self):
        self.server.body = rss(2, 1)
        with self.harness(begin="new") as task:
            task._await(lambda: len(task._checkpoints) > 0, "tell its place")
            task.commit()
            task.resume()
            self.waits(task, 2)
            self.server.body = rss(3, 2, 1)
            task.clock.advance(300)
            self.assertEqual(self.ids(task.read(1)), ["3"])

    def test_trouble_on_the_way_is_tried_again(self):
        for status, headers in ((500, {}), (503, {"Retry-After": "60"}), (429, {}), (408, {})):
            with self.subTest(status):
                self.server.status, self.server.headers, self.server.body = status, headers, b""
                with self.harness() as task:
                    task._await(lambda: task.clock.waiting > 0, "wait for its retry")
                    self.server.status, self.server.body = 200, rss(1)
                    task.clock.advance(100)
                    self.assertEqual(self.ids(task.read(1)), ["1"])

    def test_a_server_that_is_away_is_waited_for(self):
        closed = Server()
        closed.close()
        with harness(FeedSource, {"url": closed.url, "topic": "news"}, wait=20) as task:
            task._await(lambda: task.clock.waiting > 0, "wait for its retry")

    def test_what_a_person_has_to_mend_fails_with_what_to_do(self):
        cases = (
            (404, {}, b"", {}, r"answered 404 Not Found"),
            (403, {}, b"", {}, r"answered 403 Forbidden"),
            (200, {}, b"<!doctype html><p>hello", {}, r"no feed at .*: it is a web page"),
            (200, {}, b"", {}, r"no feed at .*: it is empty"),
            (200, {}, b'{"a":1}', {}, r"it is JSON, but no JSON Feed"),
            (200, {}, b'{"a":', {}, r"it begins like JSON, but cannot be read"),
            (200, {}, b"\x00\xff" * 100, {}, r"it is neither RSS, Atom nor JSON Feed"),
            (200, {}, rss(*range(1_000)), {"max.bytes": "10000"}, r"has more than 10000 bytes"),
            (200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 50_000_000), {"max.bytes": "10000"}, "has more than"),
            (200, {"Content-Encoding": "br"}, b"x", {}, r"answers in the encoding br"),
        )
        for status, headers, body, more, said in cases:
            with self.subTest(said):
                self.server.status, self.server.headers, self.server.body = status, headers, body
                with self.assertRaisesRegex(HarnessError, said), self.harness(**more) as task:
                    task.read(1)

    def test_packed_answers_are_read(self):
        self.server.headers, self.server.body = {"Content-Encoding": "gzip"}, gzip.compress(rss(1))
        with self.harness() as task:
            self.assertEqual(self.ids(task.read(1)), ["1"])

    def test_the_secret_goes_to_the_server_and_not_where_it_leads(self):
        other = Server()
        self.addCleanup(other.close)
        other.body = rss("moved")
        self.server.status, self.server.headers = 301, {"Location": other.url}
        with self.harness(authorization="Bearer abc") as task:
            self.assertEqual(self.ids(task.read(1)), ["moved"])
        self.assertEqual(self.server.asked[0][1].get("Authorization"), "Bearer abc")
        self.assertNotIn("Authorization", other.asked[0][1])

    def test_a_file_is_a_feed_too(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "feed.xml"
            file.write_bytes(rss(1))
            with harness(FeedSource, {"url": file.as_uri(), "topic": "news"}, wait=20) as task:
                self.assertEqual(self.ids(task.read(1)), ["1"])

    def test_a_feed_longer_than_the_memory_is_not_sent_again_and_again(self):
        self.server.body = rss(*range(9, 0, -1))
        with self.harness(**{"seen.max": "4"}) as task:
            self.assertEqual(self.ids(task.read(4)), ["6", "7", "8", "9"])
            self.waits(task, 1)
            task.clock.advance(300)
            self.waits(task, 2)
            self.server.body = rss(*range(10, 0, -1))
            task.clock.advance(300)
            self.assertEqual(self.ids(task.read(1)), ["10"])


class ParsingTest(unittest.TestCase):
    def test_the_three_kinds_give_the_same_shape(self):
        atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>a</id>
            <title>One</title><link href="http://x/1"/><author><name>Ann</name></author>
            <summary>S</summary><content>C</content><category term="c"/>
            <published>2024-01-02T03:04:05Z</published><updated>2024-01-02T04:04:05+01:00</updated></entry></feed>"""
        json_feed = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [{
            "id": "a", "title": "One", "url": "http://x/1", "authors": [{"name": "Ann"}], "summary": "S",
            "content_text": "C", "tags": ["c"], "date_published": "2024-01-02T03:04:05Z",
            "date_modified": "2024-01-02T04:04:05+01:00"}]}).encode()
        when = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        for body in (atom, json_feed):
            feed = parse_feed(body, "", "http://x/feed")
            self.assertEqual(feed.title, "T")
            self.assertEqual(feed.entries, [{
                "id": "a", "title": "One", "link": "http://x/1", "author": "Ann", "summary": "S",
                "content": "C", "categories": ["c"], "published": when, "updated": when}])

    def test_what_an_entry_lacks_is_null_and_it_has_an_id_all_the_same(self):
        body = json.dumps({"version": "https://jsonfeed.org/version/1", "items": [
            {"id": 7, "date_published": "nonsense", "tags": "x", "authors": ["Ann"]},
            {"url": "http://x/2"}, {"title": "only a title"}, {}, "no entry"]}).encode()
        entries = parse_feed(body, "", "").entries
        ids = [one["id"] for one in entries]
        self.assertEqual(ids[:2], ["7", "http://x/2"])
        self.assertTrue(all(one.startswith("sha256:") for one in ids[2:]))
        self.assertEqual(len(set(ids)), 4)
        self.assertIsNone(entries[0]["published"])

    def test_damaged_xml_gives_what_can_be_read(self):
        self.assertEqual([one["id"] for one in parse_feed(rss(1, 2)[:-60], "", "").entries][:1], ["1"])
        with self.assertRaises(NoFeed):
            parse_feed(b"<nothing/>", "text/xml", "")

    def test_addresses_that_cannot_be_are_told(self):
        for address, said in (
            ("ftp://x/feed", "begin with http"),
            ("x", "begin with http"),
            ("http:///feed", "no host"),
            ("http://x:99999/", "no address"),
            ("http://me:pw@x/", "set authorization"),
            ("http://x/a b", "blanks"),
        ):
            with self.assertRaisesRegex(ValueError, said):
                check_address(address)

    def test_the_memory_is_bounded_and_fits_an_offset(self):
        seen = Seen(5_000)
        for one in range(20_000):
            seen.add(str(one))
        self.assertEqual(len(seen), 5_000)
        self.assertLess(len(seen.text()), 60_000)
        again = Seen(5_000, seen.text())
        self.assertTrue(again.has("19999") and again.has("15000"))
        self.assertFalse(again.has("14999"))
        again.keep(["15000"])
        again.add("new")
        self.assertTrue(again.has("15000"))
        self.assertFalse(again.has("15001"))
        self.assertEqual(len(Seen(5, "not base64!")), 0)


if __name__ == "__main__":
    unittest.main()
