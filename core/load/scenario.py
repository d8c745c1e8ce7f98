"""A scenario: what is to happen in a run, as data.

Written in TOML; reading it names file, key and line of every mistake.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..environment import Action


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
    faults: tuple[Fault, ...] = ()
    thresholds: tuple[str, ...] = ()
