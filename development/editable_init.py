"""Pushscope, installed from a checkout: ``pushscope.core`` is the checkout's ``core``, and so on.

This file becomes ``pushscope/__init__.py`` of an editable install (see ``hatch_build.py``), so that
the documentation's imports and the ``pushscope`` command work there as they do with the wheel.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

_PARTS = ("core", "server", "gui", "cli")


class _Alias:
    """Finds ``pushscope.<part>…`` by importing ``<part>…``: one module object under two names.

    Not of the classes of ``importlib.abc``: importing them takes longer than all the rest, and no
    Ctrl-C is answered well before ``main`` has begun.
    """

    def __init__(self) -> None:
        self._own_specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for our aliases only; None leaves every other name to the other finders."""
        package, _, flat = fullname.partition(".")
        if package != __name__ or flat.partition(".")[0] not in _PARTS:
            return None
        return ModuleSpec(fullname, self)  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The flat module itself."""
        flat = spec.name.partition(".")[2]
        try:
            module = import_module(flat)
        except ModuleNotFoundError as error:
            if error.name == flat:  # say the name that was asked for
                raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name) from None
            raise
        self._own_specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back: the import system has just replaced it with the alias."""
        alias = module.__spec__
        if alias is not None:
            module.__spec__ = self._own_specs.pop(alias.name)


sys.meta_path.insert(0, _Alias())
