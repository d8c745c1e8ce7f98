"""``pushscope run``: a scenario without a window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from core.environment import ClusterSpec
from core.errors import UsageError

from .output import say

if TYPE_CHECKING:
    from core.deployment import Deployment
    from core.environment import Environment
    from core.load.scenario import Scenario

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

#: What a run without a scenario file and without --duration takes, in seconds.
_DURATION = 10.0


def run(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="[SCENARIO.toml]", help="What is to happen; options win over it.")
    ] = None,
    users: Annotated[int | None, typer.Option(help="Simulated users.")] = None,
    rate: Annotated[float | None, typer.Option(help="Pushes per second over all users.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of pushing.")] = None,
    ramp: Annotated[float | None, typer.Option(help="Seconds over which users connect.")] = None,
    drain: Annotated[
        float | None, typer.Option(help="Longest wait for what is under way at the end.")
    ] = None,
    payload_bytes: Annotated[int | None, typer.Option(help="Size of a push's payload.")] = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="push|test", help="POST /push, or GET /test?username= of the article."),
    ] = None,
    confirm: Annotated[
        bool | None, typer.Option("--confirm", help="Accepted is what the broker has confirmed.")
    ] = None,
    transports: Annotated[
        str | None,
        typer.Option(
            metavar="websocket=40,xhr-polling=60",
            help="Shares of what users connect with: websocket, sockjs-websocket, xhr-streaming, "
            "eventsource, xhr-polling.",
        ),
    ] = None,
    instances: Annotated[int | None, typer.Option(help="Instances of the local cluster.")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="relay|broadcast|none", help="How a push finds a user on another instance."),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="PUSHSCOPE_BROKER_URL", help="embedded:, or a broker's URL."),
    ] = None,
    on_broker_loss: Annotated[
        str | None,
        typer.Option(metavar="keep|spring", help="What instances do to clients while the broker is away."),
    ] = None,
    relay: Annotated[
        str | None,
        typer.Option(
            metavar="multiplexed|per-client",
            help="Whether clients share the broker connection of their instance.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="'kill i2 @8'", help="Action, instance, seconds after the first push."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="'p99 < 50'", help="What must hold at the end; may be repeated."),
    ] = None,
    env: Annotated[
        Path | None,
        typer.Option(metavar="ENV.toml", help="Somebody's deployment, instead of a local cluster."),
    ] = None,
    yes_remote: Annotated[
        bool, typer.Option("--yes-remote", help="Yes, put load on a deployment on other machines.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for summary.json, report.html, junit.xml, deliveries.csv."),
    ] = None,
) -> int:
    """Start a local cluster or take a deployment, connect users, push, and judge what arrived.

    The last line says the result in words, and the exit code says it in a number.
    """
    from core.load.scenario import parse_fault
    from core.load.transports import parse_shares
    from core.report.write import prepare_folder

    from .deployments import attachable

    wishes: dict[str, Any] = {
        "users": users, "rate": rate, "duration": duration, "ramp": ramp, "drain": drain,
        "payload_bytes": payload_bytes, "push": push, "confirm": confirm,
        "transports": parse_shares(transports) if transports is not None else None,
        "faults": tuple(parse_fault(text) for text in fault or ()) or None,
        "thresholds": tuple(threshold or ()) or None,
    }  # fmt: skip
    cluster_wishes = {
        "instances": instances, "strategy": strategy, "broker": broker, "on_broker_loss": on_broker_loss,
        "relay": relay,
    }  # fmt: skip
    what, spec = _understand(scenario, wishes, cluster_wishes)
    where: ClusterSpec | Deployment = spec
    if yes_remote and env is None:
        raise UsageError("--yes-remote confirms a deployment, and none is given", hint="name it by --env")
    if env is not None:
        where = attachable(env, what, cluster_wishes, yes_remote=yes_remote)
    if out is not None:
        prepare_folder(out)
    return asyncio.run(run_and_tell(what, where, out))


def _understand(
    file: Path | None, wishes: dict[str, Any], cluster_wishes: dict[str, Any]
) -> tuple[Scenario, ClusterSpec]:
    """The scenario and the cluster, from the file and from the options, which win.

    Raises:
        UsageError: something makes no sense; says what, and where it was said.
    """
    from core.load.scenario import Scenario, require_sense, spec_mistakes
    from core.load.scenario_file import ScenarioFile, load_scenario

    read = load_scenario(file) if file is not None else ScenarioFile(Scenario(duration=_DURATION))
    scenario = _changed(read.scenario, wishes)
    spec = _changed(read.cluster or ClusterSpec(instances=2), cluster_wishes)
    require_sense(scenario)
    for mistake in spec_mistakes(spec):
        raise UsageError(f"{mistake.path[0]}: {mistake.message}", hint=mistake.hint)
    return scenario, spec


def _changed(value: _Struct, wishes: dict[str, Any]) -> _Struct:
    """The struct with what was wished, checked as if it came from a file."""
    wished = {name: wish for name, wish in wishes.items() if wish is not None}
    try:
        return msgspec.convert(
            {**msgspec.structs.asdict(value), **wished}, type=type(value), from_attributes=True
        )
    except msgspec.ValidationError as error:
        from core.toml_file import choices_for, in_words

        hint = choices_for(error, type(value)) or "see --help"
        raise UsageError(f"an option makes no sense: {in_words(error)}", hint=hint) from error


async def run_and_tell(scenario: Scenario, where: ClusterSpec | Deployment, out: Path | None) -> int:
    """Run with a view, then print the result; returns the exit code."""
    from core.engine.messages import StartRun

    from .result_text import result_lines
    from .views import open_view
    from .watching import watch_run

    spec = where if isinstance(where, ClusterSpec) else None
    command = StartRun(scenario, spec, out=str(out) if out is not None else "")
    result = await watch_run(command, _factory(where), open_view(scenario.duration), workers=None)
    for line in result_lines(result):
        say(line)
    if out is not None and (out / "report.html").is_file():  # there was none when it began
        say(f"report    {out / 'report.html'}")
    say(result.reason)
    return result.exit_code


def _factory(where: ClusterSpec | Deployment) -> Callable[[ClusterSpec], Environment]:
    """Makes the environment of the run: a local cluster of what was asked for, or the deployment."""
    if isinstance(where, ClusterSpec):
        from server.supervisor import LocalCluster

        return LocalCluster.from_spec
    from core.attached import AttachedEnvironment

    return lambda spec: AttachedEnvironment(where)
