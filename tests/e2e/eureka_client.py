"""py-eureka-client, remote-controlled: one JSON command a line comes in, one JSON event a line goes out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from py_eureka_client.eureka_client import EurekaClient

# The client logs to the standard output; from here on that is the standard error.
_EVENTS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(event: str, **detail: Any) -> None:
    """Tell the test."""
    _EVENTS.write(json.dumps({"event": event, **detail}) + "\n")
    _EVENTS.flush()


def listed(client: EurekaClient, app: str) -> list[dict[str, str]]:
    """What the client believes of an application."""
    application = client.applications.get_application(app)
    return [{"id": item.instanceId, "status": item.status} for item in application.instances]


async def main() -> None:
    """Until the input ends, or the client is told to stop."""
    client: EurekaClient | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if order["command"] == "start":
            client = EurekaClient(
                eureka_server=order["url"],
                app_name=order["app"],
                instance_id=order["id"],
                instance_host="127.0.0.1",
                instance_ip="127.0.0.1",
                instance_port=order["port"],
                renewal_interval_in_secs=1,
                duration_in_secs=60,
            )
            await client.start()
            say("started")
        assert client is not None
        match order["command"]:
            case "apps":
                say("apps", instances=listed(client, order["app"]))
            case "override":
                await client.status_update(order["status"])
                say("overridden")
            case "restore":
                await client.delete_status_override()
                say("restored")
            case "stop":
                await client.stop()
                say("stopped")
                os._exit(0)  # its thread would register again
            case _:
                pass


if __name__ == "__main__":
    asyncio.run(main())
