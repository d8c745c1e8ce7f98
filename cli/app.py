"""The program's commands, and what every one of them does with an error.

How to add a command: write ``cli/<name>.py`` with one plain function whose parameters carry typer
annotations, whose docstring is its help, and which returns an exit code (or None for 0) and raises
:class:`core.errors.PushscopeError` for whatever the caller can mend; then add a loader and its line
in ``COMMANDS`` below. The loader imports, so that ``pushscope --version`` and every command load only
what they need; heavy things (numpy, aiohttp, Qt) are imported inside the function's body.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from core.errors import EXIT_PRECEDENCE, ExitCode, PushscopeError
from core.version import VERSION

from .interrupts import raise_on_interrupt
from .output import say, steady_output

#: A command's function: its parameters are typer's business, the result is the exit code.
CommandFunction = Callable[..., int | None]


def _doctor() -> CommandFunction:
    from .doctor import doctor

    return doctor


def _run() -> CommandFunction:
    from .run import run

    return run


def _check() -> CommandFunction:
    from .check import check

    return check


def _demo() -> CommandFunction:
    from .demo import demo

    return demo


def _engine() -> CommandFunction:
    from .engine import engine

    return engine


def _worker() -> CommandFunction:
    from .worker import worker

    return worker


def _shots() -> CommandFunction:
    from .shots import shots

    return shots


def _serve() -> CommandFunction:
    from .serve import serve

    return serve


def _instance() -> CommandFunction:
    from .roles import instance

    return instance


def _gateway() -> CommandFunction:
    from .roles import gateway

    return gateway


def _discovery() -> CommandFunction:
    from .roles import discovery

    return discovery


def _broker() -> CommandFunction:
    from .roles import broker

    return broker


def _sockjs_test() -> CommandFunction:
    from .sockjs_test import sockjs_test

    return sockjs_test


@dataclass(frozen=True, slots=True)
class Command:
    """How to load a command; hidden ones are for our own child processes and tools."""

    load: Callable[[], CommandFunction]
    hidden: bool = False


#: Every subcommand, in the order of the help text.
COMMANDS: Mapping[str, Command] = {
    "demo": Command(_demo),
    "run": Command(_run),
    "check": Command(_check),
    "serve": Command(_serve),
    "instance": Command(_instance),
    "gateway": Command(_gateway),
    "discovery": Command(_discovery),
    "broker": Command(_broker),
    "sockjs-test": Command(_sockjs_test),
    "doctor": Command(_doctor),
    "engine": Command(_engine, hidden=True),
    "worker": Command(_worker, hidden=True),
    "shots": Command(_shots, hidden=True),
}


def run(arguments: Sequence[str] | None = None, commands: Mapping[str, Command] | None = None) -> None:
    """Run the command line and leave the process with its exit code (:class:`core.errors.ExitCode`).

    A :class:`PushscopeError` is told on stderr (what failed, what was tried, what to do next) and
    gives its own exit code; a wrong call exits with 2, an interrupt with 130, anything unforeseen
    with 1 and a traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with steady_output() as written:
        code = _code_of(words, COMMANDS if commands is None else commands)
    if written.failure is not None and not code:
        from core.reasons import reason_of

        say(f"pushscope: standard output could not be written: {reason_of(written.failure)}", err=True)
        code = ExitCode.INTERNAL
    sys.exit(code)


def _code_of(words: list[str], commands: Mapping[str, Command]) -> str | int | None:
    try:
        _build(words, commands)(args=words, prog_name="pushscope")
    except SystemExit as ended:
        return ended.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except PushscopeError as error:
        return _report(error)
    except BaseExceptionGroup as group:
        return _report_group(group)
    return ExitCode.PASS


def _build(words: Sequence[str], commands: Mapping[str, Command]) -> typer.Typer:
    """The typer application with only the command that is called, or all of them for the help."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_main)
    match words:
        case [] | ["--version", *_]:  # the window, or just the version
            names: list[str] = []
        case [called, *_] if called in commands:
            names = [called]
        case _:
            names = list(commands)
    for name in names:
        command = commands[name]
        app.command(name, hidden=command.hidden)(_with_exit_code(command.load()))
    return app


def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A bench for WebSocket push systems with several instances.

    Without a command the window opens.
    """
    if version:
        say(f"pushscope {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from .window import open_window

        raise typer.Exit(open_window(start_demo=False))


def _with_exit_code(function: CommandFunction) -> Callable[..., None]:
    """The function as typer wants it: typer drops what a command returns."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        raise_on_interrupt()
        code = function(*args, **kwargs)
        if code:
            raise typer.Exit(int(code))

    command.__doc__ = inspect.getdoc(function)
    return command


def _report(error: PushscopeError) -> ExitCode:
    """Tell the error to a person; stdout stays clean for what programs read."""
    say(f"pushscope: {error}", err=True)
    if error.tried:
        say(f"  tried: {error.tried}", err=True)
    if error.hint:
        say(f"  next: {error.hint}", err=True)
    log: tuple[str, ...] = getattr(error, "log", ())
    for line in log:
        say(f"  | {line}", err=True)
    return error.exit_code


def _report_group(group: BaseExceptionGroup[BaseException]) -> ExitCode:
    """A group out of a TaskGroup: told error by error if all of them are ours, else re-raised.

    Raises:
        BaseExceptionGroup: something unforeseen is among them; its traceback is wanted.
    """
    ours, rest = group.split(PushscopeError)
    if rest is not None and rest.split(KeyboardInterrupt)[1] is None:
        return ExitCode.INTERRUPTED
    if rest is not None or ours is None:
        raise group
    codes = {_report(error) for error in _leaves(ours)}
    return next(code for code in EXIT_PRECEDENCE if code in codes)


def _leaves(group: BaseExceptionGroup[PushscopeError]) -> list[PushscopeError]:
    leaves: list[PushscopeError] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
