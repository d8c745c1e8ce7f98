"""Keeps servers that are not ours (RabbitMQ, ActiveMQ) from outliving the tests, however those end.

A :class:`Warden` is a small process that starts the servers for us, each in a process group of its
own. When its standard input ends, because the tests closed it or died, it kills those groups and
removes their directory. Standard library only: the process runs this file by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


class Warden:
    """The tests' side: starts and signals servers through the warden process. Calls block shortly.

    Attributes:
        directory: A fresh directory for the servers' files; gone after :meth:`close`.
    """

    def __init__(self, prefix: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=prefix))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the tests, who then let go of us
        )

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """Start a server with exactly this environment, its output appended to ``log``; its pid."""
        asked = {"do": "start", "name": name, "command": command, "env": dict(environment), "log": str(log)}
        answer = self._ask(asked)
        if "error" in answer:
            raise OSError(f"{command[0]} does not start: {answer['error']}")
        return int(answer["pid"])

    def ended(self, name: str) -> int | None:
        """The exit code of a server; None while it runs."""
        return self._ask({"do": "poll", "name": name})["code"]

    def terminate(self, name: str) -> None:
        """Ask a server to end; whoever wants to know whether it has asks :meth:`ended`."""
        self._ask({"do": "terminate", "name": name})

    def kill(self, name: str) -> None:
        """Kill a server and all of its group; it is gone afterwards."""
        self._ask({"do": "kill", "name": name})

    def close(self) -> None:
        """Kill all servers and remove their directory; may be called again."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise OSError("the warden of the servers has ended")
        return json.loads(line)


class _Wards:
    """The warden process's side."""

    def __init__(self) -> None:
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        name: str = command["name"]
        match command["do"]:
            case "start":
                return self._start(name, command)
            case "terminate":
                self._servers[name].terminate()
            case "kill":
                self._kill(name)
            case _:
                return {"code": self._servers[name].poll()}
        return {}

    def end(self) -> None:
        """Kill what still runs."""
        for name in list(self._servers):
            self._kill(name)

    def _start(self, name: str, command: dict[str, Any]) -> dict[str, Any]:
        try:
            with open(command["log"], "ab") as log:
                server = subprocess.Popen(
                    command["command"],
                    env=command["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            return {"error": str(error)}
        self._servers[name] = server
        return {"pid": server.pid}

    def _kill(self, name: str) -> None:
        server = self._servers.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        with suppress(ProcessLookupError, PermissionError):
            for _ in range(500):  # until the rest of the group is gone as well
                os.killpg(server.pid, 0)
                time.sleep(0.01)


def _main(directory: str) -> None:
    wards = _Wards()
    try:
        for line in sys.stdin.buffer:
            sys.stdout.write(json.dumps(wards.answer(json.loads(line))) + "\n")
            sys.stdout.flush()
    finally:
        wards.end()
        for _ in range(100):
            shutil.rmtree(directory, ignore_errors=True)
            if not os.path.exists(directory):
                break
            time.sleep(0.05)


if __name__ == "__main__":
    _main(sys.argv[1])
