"""What ``pushscope run --env`` may do to somebody's deployment, and when it has to be confirmed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from core.errors import UsageError

if TYPE_CHECKING:
    from core.deployment import Deployment
    from core.load.scenario import Scenario

#: Stands for ``--broker``; set for good in a shell, it is no wish for this run.
BROKER_VARIABLE: Final = "PUSHSCOPE_BROKER_URL"


def attachable(
    file: Path, scenario: Scenario, cluster_wishes: dict[str, Any], *, yes_remote: bool
) -> Deployment:
    """The deployment that a file describes, if the scenario may be played on it.

    Args:
        file: The environment file.
        scenario: What is to be played.
        cluster_wishes: Options that describe a local cluster, None where not given.
        yes_remote: Whether hosts that are not this machine were confirmed.

    Raises:
        UsageError: the file, or what is wished of the deployment, makes no sense, or another
            machine would be loaded without a confirmation.
    """
    from core.deployment import load_deployment

    deployment = load_deployment(file)
    for option, wish in cluster_wishes.items():
        if wish is not None and (option, wish) != ("broker", os.environ.get(BROKER_VARIABLE)):
            raise UsageError(
                f"--{option.replace('_', '-')} describes a local cluster, and {file} a deployment",
                hint="leave one of them out",
            )
    if scenario.faults:
        fault = scenario.faults[0]
        raise UsageError(
            f"cannot {fault.action} {fault.instance or 'an instance'} of {deployment.title}",
            tried=f"a scenario with faults on the deployment of {file}",
            hint="faults need a local cluster: leave --env out, or the faults",
        )
    if not yes_remote:
        _only_this_machine(deployment, scenario)
    return deployment


def _only_this_machine(deployment: Deployment, scenario: Scenario) -> None:
    from server.access.rule import is_loopback

    remote = [host for host in deployment.hosts if not is_loopback(host)]
    if not remote:
        return
    lasts = f"for {scenario.duration:g} s" if scenario.duration else "until stopped"
    instances = ", ".join(f"{each.id} ({each.url})" for each in deployment.instances)
    where = urlsplit(deployment.websocket_url)
    raise UsageError(
        f"{', '.join(remote)}: not this machine, and not confirmed",
        tried=f"connect {scenario.users} users to {where.scheme}://{where.netloc}{where.path} and push "
        f"{scenario.rate:g} times a second {lasts} through {instances}",
        hint="if you may put this load there, add --yes-remote",
    )
