"""Anything raised, as the message that tells the host about it."""

from __future__ import annotations

import traceback
from types import FrameType

from bulkhead.plugin.v1 import error_pb2 as pb

from .errors import (
    AuthError,
    ConfigError,
    DataError,
    PluginError,
    RateLimitedError,
    RetriableError,
    UnsupportedError,
)
from .missing_package import missing_package_hint

_CAUSES_MAX = 20
_STACK_CHARS_MAX = 64 * 1024
_TEXT_CHARS_MAX = 16 * 1024

# The first that fits is taken: a class stands before its base.
_KINDS = (
    (RateLimitedError, pb.FAILURE_CODE_RATE_LIMITED, pb.FAILURE_CLASS_TRANSIENT),
    (RetriableError, pb.FAILURE_CODE_UNAVAILABLE, pb.FAILURE_CLASS_TRANSIENT),
    (ConfigError, pb.FAILURE_CODE_INVALID_CONFIG, pb.FAILURE_CLASS_CONFIGURATION),
    (AuthError, pb.FAILURE_CODE_AUTH, pb.FAILURE_CLASS_FATAL),
    (DataError, pb.FAILURE_CODE_DATA, pb.FAILURE_CLASS_DATA),
    (UnsupportedError, pb.FAILURE_CODE_UNSUPPORTED, pb.FAILURE_CLASS_FATAL),
)


def to_failure(error: BaseException, *, as_data: bool = False) -> pb.Failure:
    """Text, traceback and cause chain of an exception; `as_data` = it is about one record."""
    code, reaction = pb.FAILURE_CODE_INTERNAL, pb.FAILURE_CLASS_FATAL
    for kind, its_code, its_reaction in _KINDS:
        if isinstance(error, kind):
            code, reaction = its_code, its_reaction
            break
    if as_data:
        code, reaction = pb.FAILURE_CODE_DATA, pb.FAILURE_CLASS_DATA
    return pb.Failure(
        code=code,
        failure_class=reaction,
        text=text_of(error),
        hint=_hint_of(error),
        exception_class=_class_of(error),
        stack=_stack_of(error),
        causes=[
            pb.Cause(exception_class=_class_of(one), text=text_of(one)) for one in _causes_of(error)
        ],
    )


def _hint_of(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return missing_package_hint(error.name)
    # A class of the user's that does not call its base's __init__ has none.
    hint = getattr(error, "hint", "") if isinstance(error, PluginError) else ""
    return clean(hint) if isinstance(hint, str) else ""


def failure(code: int, reaction: int, text: str) -> pb.Failure:
    """A fault that is not an exception of the user's code."""
    return pb.Failure(code=code, failure_class=reaction, text=text)


def text_of(error: BaseException) -> str:
    """One sentence, also where the exception has none or cannot be printed."""
    try:
        text = clean(error, _TEXT_CHARS_MAX)
    except BaseException:
        # Its own __str__ fails, and it may do so with anything.
        return f"{type(error).__name__}, whose text cannot be printed"
    return text or type(error).__name__


def clean(text: object, chars_max: int = _TEXT_CHARS_MAX) -> str:
    """Text that a message can carry: no lone surrogates, and bounded."""
    plain = str(text)
    if len(plain) > chars_max:
        plain = plain[:chars_max] + "…"
    return plain.encode("utf-8", "backslashreplace").decode()


def _class_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _stack_of(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _user_part(error))
        lines += _place_of(error)
    except BaseException:
        lines = [f"{_class_of(error)}: {text_of(error)}"]
    text = "".join(lines).rstrip()
    if len(text) > _STACK_CHARS_MAX:
        # The last lines say what happened and where.
        text = text[: _STACK_CHARS_MAX // 2] + "\n…\n" + text[-_STACK_CHARS_MAX // 2 :]
    return clean(text, _STACK_CHARS_MAX + 8)


def happened_at(error: BaseException, frame: FrameType | None) -> None:
    """Remembers where the user's code stood: an error about what it gave has no line of it otherwise."""
    if frame is not None and not isinstance(error, StopIteration):
        try:
            error._bulkhead_place = traceback.extract_stack(frame, limit=1)  # type: ignore[attr-defined]
        except AttributeError:
            pass


def _place_of(error: BaseException) -> list[str]:
    place = getattr(error, "_bulkhead_place", None)
    return [] if place is None else ["It was given here:\n", *place.format()]


def _user_part(error: BaseException):
    """The traceback without the SDK's own frames in front of the user's."""
    own = __name__.rpartition(".")[0] + "."
    part = error.__traceback__
    while part is not None and str(part.tb_frame.f_globals.get("__name__", "")).startswith(own):
        part = part.tb_next
    return part if part is not None else error.__traceback__


def _causes_of(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    at = _cause_of(error)
    # By identity: equality may be the user's, and may fail.
    while at is not None and all(at is not one for one in causes) and len(causes) < _CAUSES_MAX:
        causes.append(at)
        at = _cause_of(at)
    return causes


def _cause_of(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__
