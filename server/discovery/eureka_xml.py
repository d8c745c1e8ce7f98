"""Eureka's XML, to and from the values that its JSON has (pure).

An attribute is a key with ``@``, text beside attributes is ``$``, an element that comes twice is a
list: ``<port enabled="true">80</port>`` is ``{"@enabled": "true", "$": "80"}``. Names of metadata
are elements, coded as XStream does: ``_`` doubled, ``$`` as ``_-``, what XML does not allow as
``_.0020`` (UTF-16).

What comes in has no DOCTYPE, so no entities of its own, and is limited in size and depth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

#: Elements in one registration; those of Java have about 30 and metadata.
MOST_ELEMENTS = 4096
#: Registrations are three levels deep, with Amazon's data centre four.
DEEPEST = 16

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNPLAIN = re.compile(r"[^A-Za-z0-9.\-]|^[0-9.\-]")
_CODED = re.compile(r"__|_-|(?:_\.[0-9a-fA-F]{4})+")
#: Elements that are spelled differently than in JSON.
_SPELLED = {"overriddenStatus": "overriddenstatus"}


class XmlError(ValueError):
    """Not XML, or more of it than is taken; the text says which."""


def parse_xml(body: bytes) -> dict[str, Any]:
    """The document as ``{root: value}``.

    Raises:
        XmlError: It is malformed, has a DOCTYPE, or is too large or too deep.
    """
    reader = _Reader()
    try:
        reader.feed(body)
    except XmlError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: encodings it has not
        raise XmlError(f"the body is not XML: {error}") from error
    return reader.root


def render_xml(name: str, value: object) -> bytes:
    """A value as the document ``<name>…</name>``."""
    out: list[str] = []
    _element(out, name, value)
    return "".join(out).encode()


class _Element:
    """An element that is open."""

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.values: dict[str, Any] = {f"@{key}": value for key, value in attributes.items()}
        self.text: list[str] = []

    def take(self, name: str, value: object) -> None:
        """A child has ended."""
        key = decode_name(name) if self.name == "metadata" else name
        if key not in self.values:
            self.values[key] = value
            return
        before = self.values[key]
        if isinstance(before, list):
            cast("list[object]", before).append(value)
        else:
            self.values[key] = [before, value]

    def value(self) -> object:
        """What the element says."""
        text = "".join(self.text).strip()
        if not self.values:
            return text
        return {**self.values, "$": text} if text else self.values


class _Reader:
    """Builds values from what expat reports."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[_Element] = []
        self._elements = 0

    def feed(self, body: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(body, True)

    def _refuse(self, *_: object) -> None:
        raise XmlError("a DOCTYPE is not taken")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise XmlError(f"more than {MOST_ELEMENTS} elements, or deeper than {DEEPEST}")
        self._open.append(_Element(name, attributes))

    def _end(self, name: str) -> None:
        value = self._open.pop().value()
        if self._open:
            self._open[-1].take(name, value)
        else:
            self.root = {name: value}

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)


def encode_name(name: str) -> str:
    """A name as the name of an element, the way of XStream."""
    return _UNPLAIN.sub(_code, name) or "_"


def decode_name(name: str) -> str:
    """The inverse of :func:`encode_name`; what is not coded stays as it is."""
    return _CODED.sub(_uncode, name)


def _code(match: re.Match[str]) -> str:
    match match[0]:
        case "_":
            return "__"
        case "$":
            return "_-"
        case character:  # in UTF-16, as Java has it
            units = character.encode("utf-16-be", "surrogatepass")
            return "".join(f"_.{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _uncode(match: re.Match[str]) -> str:
    match match[0]:
        case "__":
            return "_"
        case "_-":
            return "$"
        case coded:
            return bytes.fromhex(coded.replace("_.", "")).decode("utf-16-be", "replace")


def _element(out: list[str], name: str, value: object) -> None:
    if isinstance(value, list):
        for item in cast("list[object]", value):
            _element(out, name, item)
        return
    if not isinstance(value, Mapping):
        out.append(f"<{name}>{_escaped(value)}</{name}>")
        return
    values = cast("Mapping[str, object]", value)
    attributes = "".join(f" {key[1:]}={quoteattr(_text(v))}" for key, v in values.items() if key[0:1] == "@")
    children = [(key, v) for key, v in values.items() if key[0:1] != "@" and key != "$"]
    if not children and "$" not in values:
        out.append(f"<{name}{attributes}/>")
        return
    out.append(f"<{name}{attributes}>")
    for key, child in children:
        _element(out, encode_name(key) if name == "metadata" else _SPELLED.get(key, key), child)
    out.append(f"{_escaped(values.get('$', ''))}</{name}>")


def _escaped(value: object) -> str:
    return escape(_text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    words = "" if value is None else str(value)
    return words if words.isprintable() else _ILLEGAL.sub("\ufffd", words)
