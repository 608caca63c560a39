"""Runs user functions, plain or async, on behalf of one task or request."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from concurrent.futures import CancelledError, Future
from typing import Any, Callable, Coroutine

from . import unawaited


class Cancelled(Exception):
    """Async user code was cancelled, because the work shall end."""


class UserCode:
    """Plain functions run where they are called; coroutines in an event loop of their own thread.

    The loop is made when the first coroutine comes, and lives until `close`: tasks that user code
    leaves running in it go on between two calls.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: "Future[Any] | None" = None
        self._cancelled = False

    def call(self, function: Callable[..., Any], *args: Any, final: bool = False) -> Any:
        """`final` = it runs to its end, also after `cancel`."""
        unawaited.watch()
        unawaited.forget()
        result = function(*args)
        if inspect.isawaitable(result):
            return self.wait(result, final=final)
        unawaited.check()
        return result

    def wait(self, awaitable: Any, *, final: bool = False) -> Any:
        """The result of a coroutine. Raises Cancelled when `cancel` ended it."""
        unawaited.watch()
        coroutine = awaitable if inspect.iscoroutine(awaitable) else _awaited(awaitable)
        with self._lock:
            if self._cancelled and not final:
                coroutine.close()
                raise Cancelled()
            running = asyncio.run_coroutine_threadsafe(_settled(coroutine), self._event_loop())
            if not final:
                self._running = running
        try:
            value, error = running.result()
        except CancelledError:
            if self._cancelled and not final:
                raise Cancelled() from None
            # Nobody here asked for it: a task that the user's code awaited was cancelled.
            raise RuntimeError("asyncio.CancelledError was raised though nothing was to stop") from None
        finally:
            with self._lock:
                if self._running is running:
                    self._running = None
        if error is not None:
            raise error
        return value

    def cancel(self) -> None:
        """The coroutine that runs is cancelled, and none but final ones begin."""
        with self._lock:
            self._cancelled = True
            running = self._running
        if running is not None:
            running.cancel()

    def close(self) -> None:
        """No call follows."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()
            context = contextvars.copy_context()
            run = lambda: context.run(_run_loop, loop)  # noqa: E731
            threading.Thread(target=run, daemon=True, name="user-async").start()
        return self._loop


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=1))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


async def _settled(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """So that what user code raises, a KeyboardInterrupt too, does not end the loop's thread."""
    try:
        unawaited.forget()
        result = await coroutine
        unawaited.check()
        return result, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return None, error
