"""The session on an engine double: commands out, models filled."""

from __future__ import annotations

from core.engine.messages import (
    Control,
    Problem,
    PushResult,
    SetRate,
    StartCluster,
    StartRun,
    StateChanged,
    StopCluster,
    StopRun,
)
from core.environment import LogLine, StartStep
from core.load.scenario import scenario_mistakes
from core.load.transports import TRANSPORTS
from gui.session import Session
from gui.settings import Settings
from tests.support.engine_link import DoubleLink


def test_a_start_carries_the_settings_and_fills_the_models(
    session: Session, link: DoubleLink, settings: Settings
) -> None:
    settings.users, settings.rate, settings.instances = 12, 30, 2
    session.choose_strategy("none")
    session.start()
    command = link.sent[0]
    assert isinstance(command, StartRun)
    assert (command.scenario.users, command.scenario.rate, command.scenario.duration) == (12, 30.0, 0.0)
    assert command.spec is not None
    assert (command.spec.instances, command.spec.strategy) == (2, "none")
    link.advance(2.0)
    assert session.run.next_action == "stop"
    assert session.users.total == 12
    assert [item.id for item in session.cluster.instances] == ["i1", "i2"]
    assert session.matrix.ids == ["i1", "i2"]
    assert session.series.names("via") == ["i1", "i2"]


def test_users_connect_with_what_is_chosen(session: Session, link: DoubleLink, settings: Settings) -> None:
    mixed = {"websocket": 40, "xhr-streaming": 20, "eventsource": 20, "xhr-polling": 20}
    expected = {name: {name: 100} for name in TRANSPORTS} | {"mixed": mixed}
    for settings.transports, shares in expected.items():
        scenario = session.scenario()
        assert scenario.transports == shares
        assert not list(scenario_mistakes(scenario))
    session.start()
    link.advance(2.0)
    rows = [session.users.index(row, 3).data() for row in range(session.users.rowCount())]
    assert {"WebSocket", "SockJS: xhr-streaming", "SockJS: eventsource", "SockJS: xhr-polling"} == set(rows)


def test_a_second_start_uses_the_cluster_that_runs(session: Session, link: DoubleLink) -> None:
    session.start()
    session.stop()
    session.start()
    runs = [command for command in link.sent if isinstance(command, StartRun)]
    assert runs[1].spec is None


def test_the_main_button_is_always_the_next_action(session: Session, link: DoubleLink) -> None:
    run = session.run
    assert run.next_action == "start"
    link.engine.handle(StopCluster())
    session.open_engine()
    for state, expected in (
        (StateChanged(0, "starting", "starting"), "cancel"),
        (StateChanged(0, "starting", "running"), "stop"),
        (StateChanged(0, "running", "running"), "stop"),
        (StateChanged(0, "draining", "running"), "force"),
        (StateChanged(0, "stopped", "stopping"), "wait"),
        (StateChanged(0, "stopped", "stopped"), "start"),
        (StateChanged(0, "failed", "failed"), "start"),
    ):
        link.deliver([state])
        assert run.next_action == expected, state


def test_stop_is_soft_first_and_hard_while_draining(session: Session, link: DoubleLink) -> None:
    session.open_engine()
    link.deliver([StateChanged(0, "running", "running")])
    session.next_action()
    link.deliver([StateChanged(0, "draining", "running")])
    session.next_action()
    stops = [command for command in link.sent if isinstance(command, StopRun)]
    assert [command.force for command in stops] == [False, True]


def test_restarting_waits_for_the_old_cluster_to_be_gone(session: Session, link: DoubleLink) -> None:
    session.start()
    differs: list[bool] = []
    session.strategy_differs.connect(lambda: differs.append(True))
    session.choose_strategy("broadcast")
    assert differs == [True]
    session.restart()
    kinds = [type(command) for command in link.sent]
    assert kinds == [StartRun, StopRun, StopCluster, StartRun]
    addresses = session.run.addresses
    assert addresses is not None
    assert addresses.strategy == "broadcast"


def test_a_push_by_hand_finds_its_answer(session: Session, link: DoubleLink) -> None:
    answers: list[PushResult] = []
    session.start()
    session.answered.connect(answers.append)
    command = session.push_once("user-1", "i2", "/topic/greetings", "hi")
    assert [answer.ref for answer in answers] == [command.ref, command.ref]
    assert session.pushes.row_at(0).verdict == "delivered"


def test_commands_reach_the_engine_as_they_are(session: Session, link: DoubleLink) -> None:
    session.start_cluster()
    session.control("kill", "i2")
    session.control("add")
    session.set_rate(70.0)
    session.disconnect_users(())
    kinds = [type(command) for command in link.sent]
    assert kinds == [StartCluster, Control, Control, SetRate]
    assert link.sent[1] == Control("kill", "i2")


def test_the_end_of_the_engine_clears_what_is_shown_and_a_new_one_starts(
    session: Session, link: DoubleLink
) -> None:
    problems: list[Problem] = []
    session.problem.connect(problems.append)
    session.start()
    link.advance(1.0)
    link.ended.emit(-9, "last words")
    assert [problem.code for problem in problems] == ["engine-died"]
    assert "last words" in problems[0].detail
    assert session.run.next_action == "start"
    assert session.cluster.instances == ()
    assert session.series.empty
    link.started = False
    assert session.open_engine()
    assert link.started


def test_steps_and_logs_are_kept_for_the_views(session: Session, link: DoubleLink) -> None:
    session.open_engine()
    link.deliver([StateChanged(0, "starting", "starting"), StartStep("broker", "running", 0.1, 0, 1)])
    assert session.run.steps["broker"].state == "running"
    link.deliver([LogLine("i1", "one"), LogLine("i2", "two"), LogLine("i1", "three")])
    assert list(session.cluster.logs["i1"]) == ["one", "three"]
    assert [line.split()[0] for line in session.cluster.logs["*"]] == ["i1", "i2", "i1"]
    link.deliver([StateChanged(0, "idle", "stopped"), StateChanged(0, "starting", "starting")])
    assert session.run.steps == {}


def test_an_instance_keeps_its_colour_after_it_was_removed(session: Session, link: DoubleLink) -> None:
    session.start()
    link.advance(0.2)
    session.control("remove", "i1")
    link.advance(0.2)
    assert session.cluster.index("i3") == 2
    assert session.cluster.index("web-a") == 3
    assert session.cluster.find("i1") is None
