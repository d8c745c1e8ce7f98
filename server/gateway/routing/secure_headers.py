"""Filter SecureHeaders: what keeps a browser from mischief, added to answers that do not have it (pure).

Values and switches are those of Spring's ``SecureHeadersProperties`` (docs/wire/gateway.md §3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from ..heads import Header
from .header_filters import HeaderFilter
from .templates import Variables

#: Those that are added unless told otherwise, by the field that sets another value.
_USUAL: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "xssProtectionHeaderValue": ("x-xss-protection", "1 ; mode=block"),
        "strictTransportSecurityHeaderValue": ("strict-transport-security", "max-age=631138519"),
        "frameOptionsHeaderValue": ("x-frame-options", "DENY"),
        "contentTypeOptionsHeaderValue": ("x-content-type-options", "nosniff"),
        "referrerPolicyHeaderValue": ("referrer-policy", "no-referrer"),
        "contentSecurityPolicyHeaderValue": (
            "content-security-policy",
            "default-src 'self' https:; font-src 'self' https: data:; img-src 'self' https: data:; "
            "object-src 'none'; script-src https:; style-src 'self' https: 'unsafe-inline'",
        ),
        "downloadOptionsHeaderValue": ("x-download-options", "noopen"),
        "permittedCrossDomainPoliciesHeaderValue": ("x-permitted-cross-domain-policies", "none"),
    }
)
_PERMISSIONS: Final = "permissionsPolicy"
_FEATURES: Final = (
    "accelerometer ambient-light-sensor autoplay battery camera cross-origin-isolated display-capture "
    "document-domain encrypted-media execution-while-not-rendered execution-while-out-of-viewport fullscreen "
    "geolocation gyroscope keyboard-map magnetometer microphone midi navigation-override payment "
    "picture-in-picture publickey-credentials-get screen-wake-lock sync-xhr usb web-share xr-spatial-tracking"
)
_ALL: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {**_USUAL, _PERMISSIONS: ("permissions-policy", ", ".join(f"{x}=()" for x in _FEATURES.split()))}
)
#: Fields with a value.
VALUES: Final = tuple(_ALL)
#: The names of the same fields among Spring's properties, ``spring.cloud.gateway.filter.secure-headers``.
PROPERTIES: Final[Mapping[str, str]] = MappingProxyType(
    {name.removesuffix("Value").removesuffix("Header"): name for name in _USUAL}
    | {"xssProtectionHeader": "xssProtectionHeaderValue"}
)


def secure_headers(
    values: Mapping[str, str], enable: Collection[str], disable: Collection[str]
) -> HeaderFilter:
    """The filter.

    Args:
        values: Other values than Spring's, by field.
        enable: Names of headers to add besides the usual ones; there is one, ``permissions-policy``.
        disable: Names of headers not to add.

    Raises:
        ValueError: a header is not one of these, or a value is none.
    """
    known = {name for name, _ in _ALL.values()}
    on, off = ({x.lower() for x in listed} for listed in (enable, disable))
    if unknown := sorted((on | off) - known):
        raise ValueError(f"header {unknown[0]!r} is none of these: {', '.join(sorted(known))}")
    added: list[Header] = []
    for field, (name, usual) in _ALL.items():
        value = values.get(field, usual)
        if any(not 32 <= ord(sign) < 127 for sign in value):
            raise ValueError(f"{field}: {value!r} is no value of a header")
        if (field in _USUAL or name in on) and name not in off:
            added.append((name.encode(), value.encode()))

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        there = {name for name, _ in headers}
        return [*headers, *(item for item in added if item[0] not in there)]

    return apply
