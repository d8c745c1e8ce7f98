"""The row models: users, lost messages, pushes by hand."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.modeltest import ModelTester

from core.engine.messages import PushOnce, PushResult
from core.report.figures import LostPush, UserRow
from gui.models.lost import LostModel
from gui.models.pushes import PushesModel
from gui.models.run import RunModel
from gui.models.users import UsersModel, natural
from tests.support.qt import watch_model


def user(number: int, state: Any = "connected", on: str = "i1", received: int = 0) -> tuple[str, UserRow]:
    name = f"user-{number}"
    return name, UserRow(name, state, on, 1.0, 0, received)


def texts(model: UsersModel, column: int) -> list[str]:
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def test_users_model_keeps_qts_contract_while_it_grows_and_changes(
    app: QApplication, qtmodeltester: ModelTester
) -> None:
    model = UsersModel(RunModel())
    watch_model(qtmodeltester, model)
    model.put([user(n) for n in range(1, 12)])
    model.put([user(3, "reconnecting"), user(12)])
    model.set_filter(lambda row: row.state == "connected")
    model.put([user(13), user(4, received=9)])
    model.sort(0, Qt.SortOrder.DescendingOrder)
    model.set_filter(None)
    model.clear_rows()
    model.put([user(1)])
    assert model.rowCount() == 1


def test_sorting_is_natural_and_keeps_what_is_selected(app: QApplication) -> None:
    model = UsersModel(RunModel())
    model.put([user(10), user(9), user(2)])
    kept = model.index(0, 0)
    assert kept.data() == "user-10"
    model.sort(0)
    assert texts(model, 0) == ["user-2", "user-9", "user-10"]
    assert natural("user-10") > natural("user-9")


def test_a_change_replaces_the_cached_text(app: QApplication) -> None:
    model = UsersModel(RunModel())
    model.put([user(1, received=5)])
    assert texts(model, 6) == ["5"]
    model.put([user(1, "disconnected", received=6)])
    assert texts(model, 6) == ["6"]
    assert "Disconnected" in texts(model, 1)[0]
    assert model.total == 1


def test_counts_for_the_distribution(app: QApplication) -> None:
    model = UsersModel(RunModel())
    model.put([user(1), user(2, on="i2"), user(3, "reconnecting", on="i2")])
    assert model.per_instance() == {"i1": 1, "i2": 1}
    assert model.per_state() == {"connected": 2, "reconnecting": 1}


def lost(seq: int, stage: str = "") -> LostPush:
    return LostPush(f"r.i1.u.{seq}", "u", "i1", "-", seq, 1.0, stage)


def test_a_push_that_arrives_after_all_leaves_the_lost_list(app: QApplication) -> None:
    model = LostModel()
    model.apply((lost(1), lost(2)))
    model.apply((lost(2), lost(3)))
    assert [str(model.index(row, 0).data()) for row in range(model.rowCount())] == ["2", "3"]
    assert model.index(0, 3).data() == "missing so far"
    model.apply((lost(2, "resolved:2 on i3; instance i2 died"), lost(3)))
    assert model.index(0, 3).data() == "resolved to 2 on i3; i2 died"
    model.apply((lost(2, "no-subscriber on i1; the user was not connected"), lost(3, "brand-new on i1")))
    assert model.index(0, 3).data() == "no subscriber on i1; user offline"
    assert model.index(1, 3).data() == "brand-new on i1", "an unknown stage is shown as it is"


def test_an_answer_finds_its_push(app: QApplication) -> None:
    model = PushesModel()
    model.sent(PushOnce(1, "user-1", "hi"))
    model.sent(PushOnce(2, None, "hi", via="i2"))
    assert [model.row_at(place).verdict for place in range(2)] == ["waiting", "waiting"]
    model.answered(PushResult(1, 202, "i1", 1, "{}", 0.5))
    assert model.row_at(0).verdict == "accepted"
    model.answered(PushResult(1, 202, "i1", 1, "{}", 0.5, 1.5))
    model.answered(PushResult(2, 503, "i2", -1, "broker down", 0.5))
    assert [model.row_at(place).verdict for place in range(2)] == ["delivered", "refused"]
    assert model.index(0, 7).data() == "1.5"
    assert model.index(1, 2).data() == "everybody"
    model.answered(PushResult(9, 202, "i1", 1, "{}", 0.5))
    assert model.rowCount() == 2
