"""``pushscope check``: does a push through any instance reach a user on any other?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from core.environment import ClusterSpec, Environment, StartStep
from core.errors import ExitCode, UsageError

from .output import say

if TYPE_CHECKING:
    from core.engine.messages import Event
    from core.report.result import Result


def check(
    instances: Annotated[int, typer.Option(help="Instances of the local cluster.")] = 2,
    strategy: Annotated[
        str, typer.Option(metavar="relay|broadcast|none", help="How a push finds a user on another instance.")
    ] = "relay",
    broker: Annotated[
        str, typer.Option(metavar="URL", envvar="PUSHSCOPE_BROKER_URL", help="embedded:, or a broker's URL.")
    ] = "embedded:",
    users: Annotated[int, typer.Option(help="Users to begin with; 0 is two for each instance.")] = 0,
    env: Annotated[
        Path | None, typer.Option(metavar="ENV.toml", help="Somebody's deployment instead, from a file.")
    ] = None,
    gateway: Annotated[
        str, typer.Option(metavar="URL", help="Or from its addresses: where users connect.")
    ] = "",
    push: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE",
            help="And how its instances push: 'http://h:{8080,8081}/test?username={user}'.",
        ),
    ] = "",
    idle: Annotated[
        float | None,
        typer.Option(
            metavar="S", min=0.1, max=86_400, help="Instead of pushing say nothing for this long: who cuts?"
        ),
    ] = None,
    heartbeat: Annotated[
        int, typer.Option(metavar="MS", min=1, help="With --idle: the STOMP heart-beats to compare with.")
    ] = 10_000,
) -> int:
    """Connect users to all instances, push through each instance to each user, show who received.

    Rows of the matrix are the instances that were asked, columns those that users are on.
    With --idle: find who cuts a connection over which nothing goes, and what keeps it alive.
    """
    if (push and not gateway) or (gateway and not push and idle is None):
        raise UsageError("--gateway and --push belong together", hint="give both, or neither")
    if env is not None and gateway:
        raise UsageError("--env and --gateway both name a deployment", hint="give one of them")
    environment = _attached(env, gateway, push) or _cluster(instances, strategy, broker)
    if idle is not None:
        from .idle import run_idle

        return asyncio.run(run_idle(environment, idle, heartbeat))
    return asyncio.run(_check(environment, users))


def _attached(env: Path | None, gateway: str, push: str) -> Environment | None:
    """The deployment that the options name, if they name one."""
    if env is None and not gateway:
        return None
    from core.attached import AttachedEnvironment
    from core.deployment import deployment_of, load_deployment

    return AttachedEnvironment(load_deployment(env) if env is not None else deployment_of(gateway, push))


def _cluster(instances: int, strategy: str, broker: str) -> Environment:
    from core.load.scenario import spec_mistakes
    from server.supervisor import LocalCluster

    try:
        spec = msgspec.convert({"instances": instances, "strategy": strategy, "broker": broker}, ClusterSpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"--strategy {strategy}: not known", hint="relay, broadcast or none") from error
    for mistake in spec_mistakes(spec):
        raise UsageError(f"--{mistake.path[0]}: {mistake.message}", hint=mistake.hint)
    return LocalCluster.from_spec(spec)


async def _check(environment: Environment, users: int) -> int:
    from core.engine.check import check as run_check
    from core.engine.engine import Engine

    def step(event: StartStep) -> None:
        if event.state == "done" and event.total:
            say(f"{event.key} {event.done}/{event.total} ready after {event.seconds:.2f} s")

    await environment.start(step)
    try:
        async with Engine(environment=environment, workers=0) as engine:
            result = await run_check(engine, environment.describe(), users=users, show=_show)
    finally:
        await environment.stop()
    return _tell(result)


def _show(event: Event) -> None:
    from core.engine.messages import Problem

    if isinstance(event, Problem):
        say(f"problem: {event.detail}", err=True)
        if event.hint:
            say(f"  next: {event.hint}", err=True)


def _tell(result: Result) -> int:
    from core.engine.check import findings

    from .result_text import matrix_lines

    on = {row.user: row.on or "-" for row in result.users}
    places = sorted(set(on.values()))
    spread = ", ".join(f"{sum(place == each for place in on.values())} on {each}" for each in places)
    say(f"{len(on)} users: {spread}")
    if result.summary.matrix:
        for line in matrix_lines(result.summary.matrix):
            say(line)
    for sentence in findings(result):
        say(sentence)
    if result.exit_code is ExitCode.PASS:
        if result.doubt:
            say(result.doubt)
        say(f"passed: every push reached its user, {result.delivered} of {result.summary.expected}")
    else:
        say(result.reason)
    return result.exit_code
