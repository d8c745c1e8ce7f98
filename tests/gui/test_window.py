"""The window on an engine double: clicks, keys, notices, looks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QTableView, QWidget

from core.engine.messages import Control, Problem, PushOnce, StartRun, StopRun
from core.environment import StartStep
from gui.context import Context
from gui.theme import Theme
from gui.window import MainWindow
from tests.support.engine_link import DoubleLink


def beat(window: MainWindow) -> None:
    window.context.beat.emit()
    QApplication.processEvents()


def run_demo(window: MainWindow, link: DoubleLink, seconds: float) -> None:
    window.start.start.click()
    link.advance(seconds)
    beat(window)


def press(
    window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifier)
    QApplication.processEvents()


def test_one_click_leads_to_moving_graphs(window: MainWindow, link: DoubleLink) -> None:
    assert window.view == "start"
    assert not window.strip.isVisible()
    run_demo(window, link, 3.0)
    assert window.view == "latency"
    assert window.strip.tile("run").text() == "Running"
    assert window.strip.tile("users").figure.text == "60 / 60"
    assert window.strip.tile("lost").figure.text == "0"
    assert window.topbar.action.text() == "Stop"
    assert window.rail.button("cluster").badge.text == "3"
    assert window.latency.director.names() == ["i1", "i2", "i3"]


def test_the_start_page_shows_the_checklist_while_the_cluster_comes_up(
    window: MainWindow, link: DoubleLink
) -> None:
    run = window.session.run
    window.session.open_engine()
    run.cluster = "starting"
    run.apply_step(StartStep("broker", "done", 0.4, 1, 1))
    run.apply_step(StartStep("instances", "failed", 2.0, 1, 3, "i2: address in use"))
    shown = window.start.checklist
    texts = [child.text() for child in shown.findChildren(type(window.start._hint))]  # pyright: ignore[reportPrivateUsage]
    assert "Broker" in texts
    assert "1/3" in texts
    assert "i2: address in use" in texts
    assert window.start.cancel.isVisible()


def test_a_lost_broker_is_seen_everywhere(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    assert not window.strip.tile("refused").isVisible()
    link.engine.broker_trouble = "Connection refused"
    link.advance(2.0)
    window.go_to("cluster")
    beat(window)
    assert window.strip.tile("refused").isVisible()
    assert int(window.strip.tile("refused").figure.text) > 0
    assert "broker embedded: 3 of 3 cut off" in window.status.texts()
    assert window.cluster.cards["i1"].state_text == "No broker"
    assert window.cluster.parts["broker"].state_text == "Out of reach for 3 of 3 instances"
    link.engine.broker_trouble = ""
    link.advance(0.5)
    beat(window)
    assert "broker embedded" in window.status.texts()
    assert window.cluster.cards["i1"].state_text == "Ready"
    assert window.cluster.parts["broker"].state_text == "Ready"


def test_an_instance_goes_out_of_service_and_back(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    window.go_to("cluster")
    card = window.cluster.cards["i2"]
    assert (card.buttons["drain"].text(), card.state_text) == ("Drain", "Ready")
    for label, state in (("Undrain", "Out of service"), ("Drain", "Ready")):
        card.buttons["drain"].click()
        link.advance(0.5)
        beat(window)
        assert (card.buttons["drain"].text(), card.state_text) == (label, state)
    assert [each for each in link.sent if isinstance(each, Control)] == [
        Control("drain", "i2"),
        Control("undrain", "i2"),
    ]


def test_a_kill_is_seen_everywhere(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 5.0)
    window.session.control("kill", "i2")
    link.advance(2.0)
    beat(window)
    assert window.rail.button("cluster").badge.text == "2/3"
    assert window.rail.button("matrix").badge.tone == "danger"
    assert window.strip.tile("lost").figure.tone == "danger"
    assert window.strip.tile("reach").figure.tone in ("warn", "danger")
    window.go_to("cluster")
    beat(window)
    card = window.cluster.cards["i2"]
    assert card.buttons["remove"].isVisible()
    assert not card.buttons["kill"].isVisible()
    assert window.latency.lost.table.model().rowCount() > 0
    assert any("2/3" in text for text in window.status.texts())


def test_the_coach_suggests_a_kill_and_tells_what_it_did(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 10.0)
    assert not window.tip.isVisible()
    link.advance(6.0)
    beat(window)
    assert "kill i2" in window.tip.title
    press(window, Qt.Key.Key_K)
    assert Control("kill", "i2") in link.sent
    link.advance(1.0)
    beat(window)
    assert "20 users were back on i1, i3" in window.tip.title
    link.advance(8.0)
    beat(window)
    assert "Messages lost: 20." in window.tip.title


def test_keys_switch_views_and_letters_mean_what_the_view_says(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    press(window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert window.view == "latency"
    press(window, Qt.Key.Key_G)
    assert window.latency.group.current == "on"
    press(window, Qt.Key.Key_O)
    assert window.latency.scale.current == "log"
    press(window, Qt.Key.Key_T)
    assert window.latency.as_table.isChecked()
    press(window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    press(window, Qt.Key.Key_V)
    assert window.session.matrix.metric == "delivered"
    assert window.session.small_matrix.metric == "reach"
    press(window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    assert isinstance(link.sent[-1], StopRun)
    press(window, Qt.Key.Key_F5)
    assert isinstance(link.sent[-1], StartRun)


def test_letters_are_text_in_a_text_field_and_nothing_when_switched_off(
    window: MainWindow, link: DoubleLink
) -> None:
    run_demo(window, link, 1.0)
    window.go_to("users")
    window.users.filter.setFocus()
    before = len(link.sent)
    QTest.keyClicks(window.users.filter, "a d r")
    assert window.users.filter.text() == "a d r"
    assert len(link.sent) == before
    window.users.filter.clear()
    window.go_to("latency")
    window.actions_.single.setChecked(False)
    press(window, Qt.Key.Key_G)
    assert window.latency.group.current == "via"
    assert not window.context.settings.single_keys


def test_space_pauses_the_charts_but_belongs_to_a_focused_button(
    window: MainWindow, link: DoubleLink
) -> None:
    run_demo(window, link, 2.0)
    window.setFocus()
    press(window, Qt.Key.Key_Space)
    assert window.context.paused_at is not None
    window.latency.scale.button("log").setFocus()
    press(window, Qt.Key.Key_Space)
    assert window.context.paused_at is not None
    assert window.latency.scale.current == "log"


def test_paused_charts_stand_still_and_recording_goes_on(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 70.0)
    window.topbar.pause.click()
    beat(window)
    before = window.latency.chart.x_range
    link.advance(5.0)
    beat(window)
    assert window.latency.chart.x_range == before
    header, rows = window.latency.director.table()
    assert header[1:4] == ["i1", "i2", "i3"]
    assert rows
    window.topbar.pause.click()
    beat(window)
    start, end = window.latency.chart.x_range
    assert start > before[0] + 4
    assert end - start == pytest.approx(60.0)  # pyright: ignore[reportUnknownMemberType]


def test_zooming_by_hand_freezes_and_back_to_live_follows(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 20.0)
    chart, director = window.latency.chart, window.latency.director
    chart.move_to(5.0, 8.0)
    assert not director.following
    link.advance(3.0)
    beat(window)
    assert chart.x_range == (5.0, 8.0)
    press(window, Qt.Key.Key_0)
    assert director.following


def test_a_push_by_hand_shows_its_result(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 1.0)
    window.go_to("push")
    beat(window)
    push = window.push
    push.to.setCurrentText("user-7")
    push.via.setCurrentIndex(push.via.findData("i3"))
    push.send.click()
    command = link.sent[-1]
    assert isinstance(command, PushOnce)
    assert (command.user, command.via, command.destination) == ("user-7", "i3", "/topic/greetings")
    assert push.table.model().index(0, 1).data() == "✓ delivered"
    push.payload.setFocus()
    press(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert window.session.pushes.rowCount() == 2
    push.destination.setText("greetings")
    assert not push.send.isEnabled()
    press(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert window.session.pushes.rowCount() == 2


def test_a_chosen_cell_is_told_in_words_until_escape(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    window.go_to("matrix")
    beat(window)
    grid = window.matrix.grid
    grid.setCurrentIndex(grid.model().index(0, 1))
    assert window.matrix.pair_title == "Pushed via i1, user on i2"
    grid.setFocus()
    press(window, Qt.Key.Key_Escape)
    assert window.matrix.pair_title == "All ways"


def test_a_new_cluster_forgets_the_curves_of_the_old(window: MainWindow, link: DoubleLink) -> None:
    window.context.settings.instances = 5
    run_demo(window, link, 2.0)
    assert len(window.latency.director.names()) == 5
    window.context.settings.instances = 2
    window.session.restart()
    link.advance(1.0)
    beat(window)
    assert window.latency.director.names() == ["i1", "i2"]
    assert window.session.matrix.ids == ["i1", "i2"]


def test_user_actions_work_on_the_selected_rows(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 1.0)
    window.go_to("users")
    beat(window)
    users = window.users
    assert not users.disconnect_button.isEnabled()
    users.table.selectRow(2)
    assert users.selected() == ("user-3",)
    users.disconnect_button.click()
    link.advance(0.2)
    row = window.session.users.find("user-3")
    assert row is not None
    assert row.state == "disconnected"
    users.filter.setText("user-1")
    assert window.session.users.rowCount() == 11
    users.count.setValue(5)
    users.add.click()
    link.advance(0.2)
    assert window.session.users.total == 65


def test_problems_say_what_was_tried_and_what_to_do(window: MainWindow, link: DoubleLink) -> None:
    window.show_problem(Problem("PortTakenError", "port 8080 is taken", "listen on :8080", "free the port"))
    assert window.banner.title == "A port is taken"
    assert window.banner.detail.splitlines() == [
        "port 8080 is taken",
        "Tried: listen on :8080",
        "Next: free the port",
    ]
    assert window.banner.action_button.isVisible()
    window.show_problem(Problem("something-new", "a detail"))
    assert window.banner.title == "something-new", "an unknown code is shown as it is"


def test_another_strategy_asks_for_a_restart(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 1.0)
    window.topbar.strategy.setCurrentText("none")
    assert "relay" in window.banner.title
    assert "none" in window.banner.title


def test_a_finished_run_is_told(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    window.topbar.action.click()
    assert window.banner.title == "The run passed"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_view_draws_in_both_themes_and_empty(
    window: MainWindow, theme: Theme, link: DoubleLink, mode: str
) -> None:
    theme.set_mode("dark" if mode == "dark" else "light")
    for key in window.views:
        window.go_to(key)
        beat(window)
        assert not window.grab().isNull()
    run_demo(window, link, 2.0)
    for key in window.views:
        window.go_to(key)
        beat(window)
        assert not window.grab().isNull()
    theme.set_mode("light")


def test_narrow_windows_keep_everything_in_reach(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 1.0)
    window.resize(960, 640)
    beat(window)
    assert window.rail.width() < 60
    for key in window.views:
        window.go_to(key)
        beat(window)
        page = window.views[key]
        assert page.width() <= window.width()
        hint = page.minimumSizeHint().width()
        assert hint <= page.width(), f"{key} wants {hint} px and has {page.width()}"


def test_sixteen_instances_fit(window: MainWindow, link: DoubleLink) -> None:
    window.context.settings.instances = 16
    run_demo(window, link, 2.0)
    for key in ("cluster", "users", "matrix", "latency"):
        window.go_to(key)
        beat(window)
        assert not window.grab().isNull()
    assert len(window.cluster.cards) == 16
    assert window.session.matrix.columnCount() == 17


def test_every_control_has_a_name(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    nameless: list[str] = []
    for key, view in window.views.items():
        window.go_to(key)
        beat(window)
        for child in (*view.findChildren(QWidget), *window.topbar.findChildren(QWidget)):
            if not child.isVisible() or not isinstance(child, QAbstractButton | QTableView):
                continue
            interface = QAccessible.queryAccessibleInterface(child)
            name = interface.text(QAccessible.Text.Name)
            if not name and child.objectName() != "qt_toolbar_ext_button" and child.parent() is not None:
                nameless.append(f"{key}: {type(child).__name__} in {type(child.parent()).__name__}")
    assert not [entry for entry in nameless if "QAbstractButton in" not in entry]


def test_tab_leaves_tables(window: MainWindow) -> None:
    for table in window.findChildren(QTableView):
        assert not table.tabKeyNavigation()


def test_the_legend_hides_and_solos_curves(window: MainWindow, link: DoubleLink) -> None:
    run_demo(window, link, 2.0)
    legend = window.latency.legend
    first: QModelIndex = legend.index(0, 0)
    assert legend.setData(first, Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    assert not legend.shown("i1")
    legend.solo("i2")
    assert [legend.shown(name) for name in ("i1", "i2", "i3")] == [False, True, False]
    legend.solo("i2")
    assert legend.shown("i1")


def test_closing_asks_first_and_saves_where_it_was(window: MainWindow, context: Context) -> None:
    asked: list[bool] = []
    window.close_asked.connect(lambda: asked.append(True))
    window.close()
    assert asked == [True]
    assert window.isVisible()
    assert context.settings.load_geometry() is not None
