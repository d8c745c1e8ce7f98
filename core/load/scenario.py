"""A scenario: what is to happen in a run, as data.

Its TOML form is in :mod:`core.load.scenario_file`; what makes sense is checked here, so that a
file, the command line and a Python program get the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, get_args

import msgspec

from ..environment import Action, ClusterSpec
from ..errors import UsageError
from ..metrics.thresholds import ThresholdError, parse_threshold
from ..toml_file import Mistake
from .transports import plain, share_mistakes


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something done to an instance ``at`` seconds after the first push."""

    at: float
    action: Action
    instance: str | None = None


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users, pushes, faults and thresholds of a run.

    Attributes:
        name: For people and reports.
        users: Simulated users, named ``user-1`` … ``user-N``.
        rate: Pushes per second over all users, open loop; 0 pushes nothing.
        duration: Seconds of pushing; 0 means until stopped.
        ramp: Seconds over which users connect; 0 means as fast as they are accepted.
        drain: Longest wait in seconds for what is still under way after the last push.
        late_after: Seconds after which a delivery counts as late.
        destination: What users subscribe to, without the ``/user`` prefix.
        payload_bytes: Size of a push's payload.
        via: Which instance is asked to push.
        push: ``push`` uses ``POST /push``, ``test`` uses ``GET /test?username=``.
        confirm: Whether a push counts as accepted only when the broker has confirmed it; ``push`` only.
        transports: Shares of what users connect with (:data:`core.load.transports.Transport`).
        faults: What is done to instances while pushing.
        thresholds: Expressions such as ``p99 < 50`` or ``lost == 0``.
    """

    name: str = "run"
    users: int = 60
    rate: float = 40.0
    duration: float = 0.0
    ramp: float = 0.0
    drain: float = 5.0
    late_after: float = 5.0
    destination: str = "/topic/greetings"
    payload_bytes: int = 64
    via: Literal["round-robin", "random"] = "round-robin"
    push: Literal["push", "test"] = "push"
    confirm: bool = False
    transports: dict[str, int] = msgspec.field(default_factory=plain)
    faults: tuple[Fault, ...] = ()
    thresholds: tuple[str, ...] = ()


#: Least and greatest sensible value of each number.
LIMITS: Final[dict[str, tuple[float, float]]] = {
    "users": (0, 100_000),
    "rate": (0, 100_000),
    "duration": (0, 7 * 86_400),
    "ramp": (0, 86_400),
    "drain": (0, 3_600),
    "late_after": (0.001, 3_600),
    "payload_bytes": (0, 60_000),
}

_FAULT: Final = re.compile(
    r"\s*(?P<action>[a-z]+)(?:\s+(?P<instance>[^\s@]+))?\s*@\s*(?P<at>\d+(?:\.\d+)?)\s*s?\s*"
)


def scenario_mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """Everything in a scenario that makes no sense, in the order of its fields."""
    for key, (least, greatest) in LIMITS.items():
        value = getattr(scenario, key)
        if not least <= value <= greatest:
            yield Mistake((key,), f"{value:g} is not between {least:g} and {greatest:g}")
    if not scenario.destination.startswith("/"):
        yield Mistake(("destination",), f"{scenario.destination!r} does not start with '/'")
    elif scenario.destination.startswith("/user/"):
        hint = f"write {scenario.destination.removeprefix('/user')!r}"
        yield Mistake(("destination",), "is given without the '/user' prefix", hint)
    if scenario.confirm and scenario.push != "push":
        yield Mistake(("confirm",), 'goes with push = "push" only', "GET /test cannot ask for it")
    yield from share_mistakes(scenario.transports)
    yield from _fault_mistakes(scenario.faults)
    for number, expr in enumerate(scenario.thresholds):
        try:
            parse_threshold(expr)
        except ThresholdError as error:
            yield Mistake(("thresholds", number), str(error))


def _fault_mistakes(faults: tuple[Fault, ...]) -> Iterator[Mistake]:
    for number, fault in enumerate(faults):
        if fault.at < 0:
            yield Mistake(("faults", number, "at"), f"{fault.at:g} is before the first push")
        if fault.instance is None and fault.action != "add":
            yield Mistake(("faults", number, "instance"), f"which instance is to {fault.action}?")


def spec_mistakes(spec: ClusterSpec) -> Iterator[Mistake]:
    """Everything in a cluster's description that makes no sense."""
    if not 1 <= spec.instances <= 64:
        yield Mistake(("instances",), f"{spec.instances} is not between 1 and 64")
    if spec.ports and len(spec.ports) != spec.instances:
        yield Mistake(("ports",), f"{len(spec.ports)} ports for {spec.instances} instances")
    if not spec.default_user:
        yield Mistake(("default_user",), "must not be empty")


def require_sense(scenario: Scenario) -> None:
    """Refuse a scenario that makes no sense.

    Raises:
        UsageError: names the first field that is wrong.
    """
    for mistake in scenario_mistakes(scenario):
        name = ".".join(str(part) for part in mistake.path)
        raise UsageError(f"{name}: {mistake.message}", tried=f"scenario {scenario.name!r}", hint=mistake.hint)


def parse_fault(text: str) -> Fault:
    """A fault as written on the command line: ``kill i2 @8`` (seconds after the first push).

    Raises:
        UsageError: says what is wrong and what would be right.
    """
    match = _FAULT.fullmatch(text)
    actions = get_args(Action)
    if match is None or match["action"] not in actions:
        raise UsageError(
            f"cannot understand the fault {text!r}",
            hint=f"write ACTION INSTANCE @SECONDS, such as 'kill i2 @8'; actions: {', '.join(actions)}",
        )
    action: Action = match["action"]  # pyright: ignore[reportAssignmentType]  # checked above
    fault = Fault(at=float(match["at"]), action=action, instance=match["instance"])
    for mistake in _fault_mistakes((fault,)):
        raise UsageError(f"fault {text!r}: {mistake.message}", hint="write it as 'kill i2 @8'")
    return fault
