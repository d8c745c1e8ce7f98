"""Payloads to values and back, by content type (docs/wire/spring-relay.md §7.3)."""

from __future__ import annotations

import types
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

from core.errors import PushscopeError, UsageError

#: Content types of what is sent when nobody says otherwise.
TEXT: Final = "text/plain;charset=UTF-8"
BINARY: Final = "application/octet-stream"
JSON: Final = "application/json"

#: Charsets that a client may name; others of Python's are slow, or no text.
_CHARSETS: Final = frozenset(
    {
        *("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be"),
        *("iso-8859-1", "latin1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251"),
        *("windows-1252", "koi8-r", "gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
    }
)

MediaKind = Literal["none", "text", "json", "binary", "other"]


class MessageConversionError(PushscopeError):
    """A message does not have what its handler takes: payload, header or variable of the path."""


class UnsendableError(MessageConversionError):
    """A value of the application cannot be sent, or not as its content type says."""


class MediaType:
    """What a content type means for conversion.

    Attributes:
        kind: ``none`` if there is no content type, or an empty one.
        charset: Of a text; lower case.
    """

    __slots__ = ("charset", "kind", "text")

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.charset = "utf-8"
        if not text:
            self.kind: MediaKind = "none"
            return
        essence, _, parameters = text.partition(";")
        self.kind = _kind(essence.strip().lower())
        if self.kind == "text":
            for parameter in parameters.split(";"):
                name, _, value = parameter.partition("=")
                if name.strip().lower() == "charset":
                    self.charset = value.strip().strip("\"'").lower()


class PayloadConverter:
    """Turns payloads into values of one type.

    Args:
        hint: ``str``, ``bytes``, or any type that msgspec decodes from JSON; with ``| None`` an
            empty payload is None.
        where: For errors: whose payload it is.

    Attributes:
        optional: Whether an empty payload is a value.

    Raises:
        UsageError: msgspec cannot decode the type.
    """

    __slots__ = ("_decoder", "_target", "_where", "optional")

    def __init__(self, hint: Any, where: str) -> None:
        self._where = where
        self._target, self.optional = without_none(hint)
        self._decoder: msgspec.json.Decoder[Any] | None = None
        if self._target not in (str, bytes):
            try:
                self._decoder = msgspec.json.Decoder(hint)
            except TypeError as error:
                raise UsageError(
                    f"{where} cannot be decoded from JSON: {error}",
                    hint="annotate it with a msgspec.Struct, a dataclass, a TypedDict, or a plain type",
                ) from None

    def __call__(self, body: bytes, content_type: str | None) -> Any:
        """The value of a payload that is not empty.

        Raises:
            MessageConversionError: It is not what the handler takes.
        """
        try:
            if self._target is str:
                return body.decode() if content_type is None else self._text(body, MediaType(content_type))
            if self._target is bytes:
                return body
            return self._object(body, MediaType(content_type))
        except (ValueError, RecursionError) as error:  # also UnicodeDecodeError and msgspec's errors
            raise MessageConversionError(f"{self._where} cannot be read: {error}") from error

    def _text(self, body: bytes, media: MediaType) -> Any:
        if media.kind in ("none", "text"):
            if media.charset not in _CHARSETS:
                raise MessageConversionError(f"{self._where} has the unknown charset {media.charset[:40]!r}")
            return body.decode(media.charset)
        if media.kind == "json":
            value = msgspec.json.decode(body)
            if isinstance(value, str):
                return value
            if isinstance(value, int | float):  # also true and false
                return body.strip().decode()
            if value is None and self.optional:
                return None
            raise MessageConversionError(f"{self._where} is text, and the message is other JSON")
        raise self._unreadable(media, "text")

    def _object(self, body: bytes, media: MediaType) -> Any:
        if self._decoder is not None and media.kind in ("none", "json"):
            return self._decoder.decode(body)
        raise self._unreadable(media, JSON)

    def _unreadable(self, media: MediaType, wanted: str) -> MessageConversionError:
        return MessageConversionError(
            f"{self._where} cannot be read from {(media.text or '')[:80]!r}", hint=f"send it as {wanted}"
        )


def encode_payload(value: object, content_type: str | None = None) -> tuple[bytes, str]:
    """Body and content type of a value.

    A content type that is given is kept: text is encoded in its charset, or becomes a JSON string;
    bytes are sent as they are.

    Raises:
        UnsendableError: The value cannot be sent, or not as that.
    """
    if isinstance(value, str) and not content_type:
        return _text(value, "utf-8", TEXT), TEXT
    if isinstance(value, bytes | bytearray):
        return bytes(value), content_type or BINARY
    content_type = content_type or JSON
    media = MediaType(content_type)
    if media.kind == "json":
        return _json(value), content_type
    if not isinstance(value, str):
        raise UnsendableError(
            f"{type(value).__name__} cannot be sent as {content_type!r}",
            hint=f"leave the content type out, or take {JSON}",
        )
    if media.charset not in _CHARSETS:
        raise UnsendableError(f"text cannot be sent in the unknown charset {media.charset!r}")
    return _text(value, media.charset, content_type), content_type


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type without its ``| None``, and whether it had one."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    rest = [argument for argument in get_args(hint) if argument is not type(None)]
    if len(rest) == len(get_args(hint)):
        return hint, False
    union = rest[0]
    for other in rest[1:]:
        union |= other
    return union, True


def _kind(essence: str) -> MediaKind:
    if essence.startswith("text/"):
        return "text"
    if essence == JSON or (essence.startswith("application/") and essence.endswith("+json")):
        return "json"
    return "binary" if essence == BINARY else "other"


def _text(value: str, charset: str, content_type: str) -> bytes:
    try:
        return value.encode(charset)
    except UnicodeEncodeError as error:
        raise UnsendableError(f"the text cannot be sent as {content_type!r}: {error}") from None


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsendableError(f"{type(value).__name__} cannot be sent as JSON: {error}") from error
