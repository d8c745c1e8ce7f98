"""The leak suite with a few visitors: all are answered, and what they left is closed."""

from __future__ import annotations

import pytest

from .bench_leaks import cells, measure
from .leak_kinds import KINDS, ROLES, Kind, Role


def test_every_kind_is_there_where_it_makes_sense() -> None:
    left_out = {(role, kind) for role in ROLES for kind in KINDS} - set(cells(()))
    assert left_out == {("broker", "sockjs left"), ("discovery", "sockjs left")}
    assert set(cells(("broker", "valid"))) >= {("broker", "malformed"), ("gateway", "valid")}
    assert set(cells(("broker/valid",))) == {("broker", "valid")}


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("broker", "malformed"),
        ("broker", "token refused"),
        ("discovery", "valid"),
        ("discovery", "token refused"),
        ("gateway", "valid"),
        ("gateway", "token refused"),
        ("instance", "too big"),
    ],
)
async def test_everybody_is_answered(role: Role, kind: Kind) -> None:
    row = await measure(role, kind, cells(())[role, kind], 40)
    assert "UNANSWERED" not in row.note
    assert row.ok is None  # too few to judge
