"""Structs that the garbage collector does not see (``gc=False``) hold nothing that leads back to them."""

from __future__ import annotations

import collections.abc
import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator
from enum import Enum

import msgspec
import pytest

import core
import server

#: What refers to nothing, and what refers to its own contents only.
_PLAIN = (str, bytes, int, float, bool, type(None))
_HOLDERS = (tuple, list, dict, collections.abc.Mapping, collections.abc.Sequence)


def _structs(kind: type[msgspec.Struct] = msgspec.Struct) -> Iterator[type[msgspec.Struct]]:
    for below in kind.__subclasses__():
        yield below
        yield from _structs(below)


def _untracked() -> list[type[msgspec.Struct]]:
    for package in (core, server):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    ours = [kind for kind in _structs() if kind.__module__.partition(".")[0] in ("core", "server")]
    return sorted(
        {kind for kind in ours if kind.__struct_config__.gc is False}, key=lambda kind: kind.__name__
    )


def _leads_nowhere(hint: typing.Any) -> bool:
    """Whether no value of this type can be part of a cycle."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return True
    if origin in (typing.Union, types.UnionType, typing.Annotated, *_HOLDERS):
        return all(_leads_nowhere(part) for part in typing.get_args(hint) if part is not Ellipsis)
    if not isinstance(hint, type):
        return False
    # A struct is judged by itself, if it is not seen either; one that is seen may hold anything.
    return issubclass(hint, (*_PLAIN, Enum)) or (
        issubclass(hint, msgspec.Struct) and hint.__struct_config__.gc is False
    )


@pytest.mark.parametrize("kind", _untracked(), ids=lambda kind: kind.__name__)
def test_no_cycle_can_hide(kind: type[msgspec.Struct]) -> None:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}
    dangerous = {name: hint for name, hint in fields.items() if not _leads_nowhere(hint)}
    assert not dangerous, "leave gc=False out: a cycle through these would never be freed"
