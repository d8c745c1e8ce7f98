"""What a cluster is to be made of, checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec

from core.environment import ClusterSpec
from core.errors import UsageError

from ..brokers.addresses import parse_amqp_url, parse_stomp_url
from ..brokers.limits import LINK_LIMITS, check_client_frames
from ..roles.options import BrokerOptions, DiscoveryOptions, GatewayOptions, InstanceOptions
from ..roles.running import instance_settings
from ..sockets.binding import bind_socket

HOST = "127.0.0.1"
#: Name under which instances register, and the first part of the gateway's path to them.
SERVICE = "web-socket"
_MOST_INSTANCES = 64
_LAST_PORT = 65535
_BROKERS = ("embedded", "memory", "stomp", "stomps", "amqp", "amqps")
#: Those at which each client can have a connection of its own.
_STOMP_BROKERS = ("embedded", "stomp", "stomps")


class PreferredPorts(msgspec.Struct, frozen=True):
    """Ports to try first where none is given, by default the article's; 0 is any free one.

    One that is taken is replaced by a free one. Instances count up from ``first_instance``.
    """

    gateway: int = 7000
    discovery: int = 8761
    first_instance: int = 8080


_ANY = PreferredPorts(0, 0, 0)
_PLAIN = InstanceOptions()
_PLAIN_GATEWAY = GatewayOptions()


class Plan:
    """A checked specification, and the options of each role that follow from it.

    Args:
        spec: What is wanted.
        preferred: Ports to try first where none is given.
        in_process: Whether all roles share one process.
        instance: What instances are told besides; the gateway takes the hosts that they allow.
        gateway: What the gateway is told besides.

    Raises:
        UsageError: the specification cannot be fulfilled, whatever this machine is like.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        *,
        preferred: PreferredPorts = _ANY,
        in_process: bool = False,
        instance: InstanceOptions = _PLAIN,
        gateway: GatewayOptions = _PLAIN_GATEWAY,
    ) -> None:
        _check(spec, in_process)
        instance_settings(instance)  # says what is wrong with them
        check_client_frames(LINK_LIMITS, instance.max_frame, instance.max_message)
        self.spec = spec
        self._instance = instance
        self._gateway = gateway
        self._preferred = preferred
        self._started = 0

    @property
    def embedded_broker(self) -> bool:
        """Whether a broker of our own is part of the cluster."""
        return self.spec.broker.startswith("embedded:")

    @property
    def shown_broker(self) -> str:
        """The broker's URL as anybody may read it."""
        return without_login(self.spec.broker)

    def explicit_ports(self) -> tuple[int, ...]:
        """The ports that were asked for by number."""
        spec = self.spec
        return tuple(port for port in (*spec.ports, spec.gateway_port, spec.discovery_port) if port)

    def broker(self) -> BrokerOptions:
        """What the embedded broker is told."""
        return BrokerOptions(host=HOST)

    def discovery(self) -> DiscoveryOptions:
        """What discovery is told."""
        port, or_free = _port(self.spec.discovery_port or None, self._preferred.discovery)
        return DiscoveryOptions(host=HOST, port=port, or_free=or_free)

    def gateway(self, discovery: str) -> GatewayOptions:
        """What the gateway is told."""
        port, or_free = _port(self.spec.gateway_port or None, self._preferred.gateway)
        return msgspec.structs.replace(
            self._gateway,
            host=HOST,
            port=port,
            or_free=or_free,
            service=SERVICE,
            discovery=discovery,
            allowed_hosts=self._instance.allowed_hosts,
        )

    def next_instance(self, broker: str, discovery: str) -> InstanceOptions:
        """What the next instance is told; its id has not been used before (``i1``, ``i2``, …)."""
        number, ports, first = self._started, self.spec.ports, self._preferred.first_instance
        # Only those of the beginning: one that is added later takes any port.
        usual = first + number if first and number < self.spec.instances else 0
        port, or_free = _port(ports[number] if number < len(ports) else None, usual)
        self._started += 1
        return msgspec.structs.replace(
            self._instance,
            id=f"i{self._started}",
            host=HOST,
            port=port,
            or_free=or_free,
            service=SERVICE,
            strategy=self.spec.strategy,
            broker=broker,
            discovery=discovery,
            default_user=self.spec.default_user,
            on_broker_loss=self.spec.on_broker_loss,
            relay=self.spec.relay,
        )


def _port(given: int | None, preferred: int) -> tuple[int, bool]:
    """The port to ask for, and whether a free one will do instead."""
    return (given, False) if given is not None else (preferred, bool(preferred))


def check_ports(ports: Sequence[int]) -> None:
    """See that nobody listens on these ports, before anything is started.

    Whoever takes one of them later is found by the role that wants it: this only spares a start
    that cannot succeed.

    Raises:
        PortTakenError: names the first that is in use.
    """
    for port in ports:
        bind_socket(HOST, port).close()


def without_login(url: str) -> str:
    """The URL without its login and password; whoever reads a log or a report reads this."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _check(spec: ClusterSpec, in_process: bool) -> None:
    try:
        # Literals are not checked when a struct is made by a call.
        msgspec.convert(msgspec.to_builtins(spec), ClusterSpec)
    except msgspec.ValidationError as error:
        from core.toml_file import choices_for, in_words

        raise UsageError(f"cluster: {in_words(error)}", hint=choices_for(error, ClusterSpec)) from error
    for wrong, hint in _mistakes(spec, in_process):
        raise UsageError(wrong, tried=f"a cluster of {spec.instances} instances", hint=hint)


def _mistakes(spec: ClusterSpec, in_process: bool) -> Iterator[tuple[str, str]]:
    if not 1 <= spec.instances <= _MOST_INSTANCES:
        yield f"{spec.instances} instances", f"1 to {_MOST_INSTANCES}"
    if len(spec.ports) > spec.instances:
        yield (
            f"{len(spec.ports)} ports for {spec.instances} instances",
            "one port for each instance, or fewer",
        )
    given = [port for port in (*spec.ports, spec.gateway_port, spec.discovery_port) if port]
    if any(not 0 < port <= _LAST_PORT for port in given):
        yield f"a port out of range in {given}", f"1 to {_LAST_PORT}, or 0 for a free one"
    if len(set(given)) < len(given):
        yield f"the same port twice in {given}", "a port of its own for each role"
    scheme = spec.broker.partition(":")[0]
    if scheme not in _BROKERS:
        yield (
            f"no such kind of broker: {without_login(spec.broker)!r}",
            "embedded:, memory:, stomp://host:61613",
        )
    elif scheme in ("stomp", "stomps"):
        parse_stomp_url(spec.broker)  # says what is wrong with it
    elif scheme in ("amqp", "amqps"):
        parse_amqp_url(spec.broker)
    if spec.relay == "per-client" and scheme not in _STOMP_BROKERS:
        yield f"relay per-client does not go with {scheme}:", "a STOMP broker: embedded:, stomp://host:61613"
    if scheme == "memory" and spec.instances > 1 and not in_process:
        yield (
            "memory: is a broker within one process, and each instance is a process",
            "use embedded:, or run the cluster in one process (in_process=True)",
        )
