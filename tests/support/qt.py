"""Typed doors to what pytest-qt leaves untyped."""

from __future__ import annotations

from typing import Any, cast

from PySide6.QtCore import QAbstractItemModel
from pytestqt.modeltest import ModelTester


def watch_model(tester: ModelTester, model: QAbstractItemModel) -> None:
    """Check Qt's contract of models now and at every later change."""
    cast(Any, tester).check(model)
