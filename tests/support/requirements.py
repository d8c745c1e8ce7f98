"""What a test needs beyond Python packages, as a mark: without it the test skips and says what to install.

::

    pytestmark = requires("xvfb", "xcb")

    @requires("stompjs")
    async def test_…

``dev.py test --system`` installs everything and sets PUSHSCOPE_NO_SKIP, so that there a skip is a failure.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.packages import SYSTEM_NEEDS, install_line

from .namespace import namespace_trouble

_ROOT = Path(__file__).resolve().parents[2]

#: npm packages of tests/e2e/package.json, by the name that tests use.
_NPM_PACKAGES = {
    "stompjs": "@stomp/stompjs",
    "ws": "ws",
    "sockjs": "sockjs-client",
    "sockjs-old": "sockjs-client-1.0",
    "stompjs-old": "stompjs",
    "eureka-js": "eureka-js-client",
}


def requires(*names: str) -> pytest.MarkDecorator:
    """A mark that skips where one of these is missing.

    Args:
        names: Keys of :data:`cli.packages.SYSTEM_NEEDS` (``qt``, ``xcb``, ``xvfb``, ``node``,
            ``chromium``, ``nginx``, ``haproxy``, ``namespace``, ``openssl``, ``rabbitmq``, ``activemq``),
            ``stompjs`` and the like for npm packages, or ``page`` for the libraries that the demo page
            offers.
    """
    reasons = [reason for name in names if (reason := missing(name))]
    return pytest.mark.skipif(bool(reasons), reason="; ".join(reasons))


def missing(name: str) -> str:
    """Why this requirement is not met, with the line that installs it; empty when it is met."""
    if name in _NPM_PACKAGES:
        if reason := missing("node"):
            return reason
        if not (node_modules() / _NPM_PACKAGES[name]).is_dir():
            return f"npm's {_NPM_PACKAGES[name]} is not installed: python3 dev.py test installs it"
        return ""
    if name == "page":
        built = (_ROOT / "assets" / "demo" / "vendor" / "libraries.json").is_file()
        return missing("node") or ("" if built else "the page's libraries are missing: python3 dev.py page")
    need = SYSTEM_NEEDS[name]
    absent = need.missing()
    if name == "namespace" and not absent:
        return namespace_trouble()
    return f"{', '.join(absent)} missing: {install_line(need.packages)}" if absent else ""


def node_modules() -> Path:
    """Where ``dev.py test`` installs the npm packages of tests/e2e/package.json.

    For ``require`` give it to Node as NODE_PATH; for ``import`` use ``createRequire`` of it.
    """
    named = os.environ.get("PUSHSCOPE_NODE_MODULES")
    return Path(named) if named else _ROOT / ".cache" / "npm" / "node_modules"


def _is_alias() -> bool:
    """Whether ``pushscope`` is this checkout, as in an editable installation; a wheel brings its own copy."""
    spec = find_spec("pushscope")
    return spec is not None and spec.origin is not None and not (Path(spec.origin).parent / "core").is_dir()


#: Marks tests of what imports ``pushscope``, as the examples do.
needs_alias = pytest.mark.skipif(
    not _is_alias(), reason="this checkout is not installed as pushscope: pip install -e ."
)
