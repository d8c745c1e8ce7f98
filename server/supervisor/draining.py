"""Taking an instance out of service and back: by the word of an operator in the registry.

An instance out of service keeps its users and gets no new ones; it is the registry that says so
(Eureka's status override), so that every gateway that asks it knows.
"""

from __future__ import annotations

from urllib.parse import quote

from core.errors import ClusterStartError, UsageError

from .probe import send
from .readiness import wait_for_gateway, wait_until_passed_over

_WITHIN = 3.0


async def set_in_service(
    discovery: str, gateway: str, service: str, instance: str, *, in_service: bool
) -> None:
    """Take an instance out of service, or back, and return when the gateway goes by it.

    Raises:
        UsageError: the registry did not take it, or the gateway does not follow.
    """
    value = "UP" if in_service else "OUT_OF_SERVICE"
    url = f"{discovery}/eureka/apps/{quote(service)}/{quote(instance, safe='')}/status?value={value}"
    status = await send("DELETE" if in_service else "PUT", url, within=_WITHIN)
    if status != 200:
        raise UsageError(
            f"{instance} cannot be put {'back into' if in_service else 'out of'} service: "
            + (f"the registry answers {status}" if status else "the registry does not answer"),
            tried=url,
            hint="it must be running and registered",
        )
    wait = wait_for_gateway if in_service else wait_until_passed_over
    try:
        await wait(gateway, service, (instance,), within=_WITHIN)
    except ClusterStartError as error:
        raise UsageError(str(error), tried=url, hint="look at the gateway's log") from error
