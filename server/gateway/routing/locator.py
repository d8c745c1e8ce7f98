"""Routes for every registered service: Spring's ``discovery.locator`` (docs/wire/gateway.md; pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ...discovery.registry import Registered
from .definition import Part, RouteError, RouteSpec
from .routes import RouteTable
from .spel import Value, evaluate

_PREDICATES = (Part("Path", named={"pattern": "'/'+serviceId+'/**'"}),)
_FILTERS = (
    Part(
        "RewritePath",
        named={"regexp": "'/' + serviceId + '/?(?<remaining>.*)'", "replacement": "'/${remaining}'"},
    ),
)


class LocatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How services become routes; texts, and arguments of parts, are expressions.

    Attributes:
        lower_case: Whether services are named in lower case. Otherwise they have their names, and those in
            upper case too, as Eureka has them.
        include: Which services.
        url: Where their routes lead.
        id_prefix: What the routes' ids begin with.
        predicates: When a route is taken.
        filters: What it does.
        defaults: ``default-filters``, as they are.
        source: The files, for messages.
    """

    lower_case: bool = False
    include: str = "true"
    url: str = "'lb://'+serviceId"
    id_prefix: str = "ReactiveCompositeDiscoveryClient_"
    predicates: tuple[Part, ...] = _PREDICATES
    filters: tuple[Part, ...] = _FILTERS
    defaults: tuple[Part, ...] = ()
    source: str = ""


class Located(msgspec.Struct, frozen=True):
    """The routes of the services that are there, and what is wrong."""

    routes: tuple[RouteSpec, ...] = ()
    warnings: tuple[str, ...] = ()


def locate(settings: LocatorSettings, instances: Iterable[Registered], without: str) -> Located:
    """A route for every service but ``without`` (a gateway does not lead to itself)."""
    services: dict[str, Registered] = {}
    for each in instances:
        if each.service.upper() != without.upper():
            services.setdefault(each.service.upper(), each)
    routes: list[RouteSpec] = []
    warnings: list[str] = []
    for _, instance in sorted(services.items()):
        service = instance.service
        names = {service.lower()} if settings.lower_case else {service, service.upper()}
        for name in sorted(names):
            try:
                spec = _route(settings, name, instance)
                if spec is not None:
                    RouteTable([spec])
                    routes.append(spec)
            except (ValueError, RouteError) as error:
                warnings.append(f"discovery.locator: no route for {name}: {error}")
    return Located(tuple(routes), tuple(warnings))


def _route(settings: LocatorSettings, name: str, instance: Registered) -> RouteSpec | None:
    context: dict[str, Value] = {
        "serviceId": name,
        "instanceId": instance.id,
        "host": instance.host,
        "port": instance.port,
        "secure": instance.secure,
        "uri": f"{'https' if instance.secure else 'http'}://{instance.host}:{instance.port}",
        "metadata": instance.metadata,
    }
    if evaluate(settings.include, context) is not True:
        return None
    return RouteSpec(
        f"{settings.id_prefix}{name}",
        str(evaluate(settings.url, context)),
        tuple(_part(part, context) for part in settings.predicates),
        (*settings.defaults, *(_part(part, context) for part in settings.filters)),
        source=settings.source,
        metadata=dict(instance.metadata),
    )


def _part(part: Part, context: Mapping[str, Value]) -> Part:
    def said(text: str) -> str:
        value = evaluate(text, context)
        return str(value).lower() if isinstance(value, bool) else str(value)

    arguments = tuple(said(text) for text in part.arguments)
    return msgspec.structs.replace(
        part, arguments=arguments, named={key: said(text) for key, text in part.named.items()}
    )
