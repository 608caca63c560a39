"""A stream whose ticket the host refuses."""

import threading
import unittest
from unittest import mock

import grpc

from bulkhead_sdk import stream


class _Refusal(grpc.RpcError):
    def details(self):
        return "the ticket is unknown"


class _Call:
    """Empty initial metadata come first, and the end of the call some time later."""

    def __init__(self):
        self.asked = threading.Event()
        self.over = False

    def initial_metadata(self):
        self.asked.set()
        return ()

    def __iter__(self):
        self.asked.wait()
        self.over = True
        raise _Refusal()

    def is_active(self):
        return not self.over

    def code(self):
        return grpc.StatusCode.PERMISSION_DENIED


class StreamTest(unittest.TestCase):
    def test_a_refusal_that_follows_empty_metadata_is_one(self):
        ended = []
        with mock.patch.object(stream, "_REFUSAL_SECONDS_MAX", 20):
            one = stream.GrpcStream(lambda messages: _Call())
            one.open(lambda message: None, ended.append)
            self.assertFalse(one.wait_opened())


if __name__ == "__main__":
    unittest.main()
