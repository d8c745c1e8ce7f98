"""System packages: what we need beyond pip, how to see whether it is there, and its Debian names.

The one list of them, for ``dev.py``, the tests and ``pushscope doctor``. Standard library only: dev.py
imports it before there is an environment.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemNeed:
    """Something that pip cannot install.

    Attributes:
        name: How tests and messages call it.
        purpose: What does not work without it.
        programs: It is there when all of these groups have a program on the path; a group's names
            are alternatives, separated by ``|``.
        libraries: It is there when all of these load.
        packages: Debian and Ubuntu packages that bring it.
    """

    name: str
    purpose: str
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """The programs and libraries that are not found; empty when all is there."""
        programs = tuple(group for group in self.programs if not any(map(find_program, group.split("|"))))
        if sys.platform != "linux":  # elsewhere Qt brings its libraries
            return programs
        return programs + tuple(name for name in self.libraries if not _loads(name))


#: Libraries that PySide6's wheel leaves to the system, in the order in which Qt wants them:
#: those of every Qt program first, then those of its xcb platform.
QT_LIBRARIES = (
    "libGL.so.1",
    "libEGL.so.1",
    "libfontconfig.so.1",
    "libdbus-1.so.3",
    "libglib-2.0.so.0",
    "libxkbcommon.so.0",
)
XCB_LIBRARIES = (
    "libX11-xcb.so.1",
    "libxkbcommon-x11.so.0",
    "libxcb-cursor.so.0",
    "libxcb-icccm.so.4",
    "libxcb-image.so.0",
    "libxcb-keysyms.so.1",
    "libxcb-randr.so.0",
    "libxcb-render-util.so.0",
    "libxcb-shape.so.0",
    "libxcb-shm.so.0",
    "libxcb-sync.so.1",
    "libxcb-xfixes.so.0",
    "libxcb-xkb.so.1",
)
QT_PACKAGES = ("libgl1", "libegl1", "libfontconfig1", "libdbus-1-3", "libglib2.0-0", "libxkbcommon0")
XCB_PACKAGES = (
    "libx11-xcb1",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-shm0",
    "libxcb-sync1",
    "libxcb-xfixes0",
    "libxcb-xkb1",
)

#: By name.
SYSTEM_NEEDS = {
    need.name: need
    for need in (
        SystemNeed("qt", "the window, also its tests without a screen", QT_PACKAGES, libraries=QT_LIBRARIES),
        SystemNeed("xcb", "the window on a screen", XCB_PACKAGES, libraries=XCB_LIBRARIES),
        SystemNeed("xvfb", "screenshots, and tests of the window on a real X server", ("xvfb",), ("Xvfb",)),
        SystemNeed("node", "tests with STOMP clients that run on Node", ("nodejs", "npm"), ("node", "npm")),
        SystemNeed(
            "chromium",
            "tests of the demo page in a browser",
            ("chromium",),
            ("chromium|chromium-browser|google-chrome",),
        ),
        SystemNeed("nginx", "the gateway's measurement beside nginx", ("nginx",), ("nginx",)),
        SystemNeed("haproxy", "the gateway's measurement beside HAProxy", ("haproxy",), ("haproxy",)),
        SystemNeed(
            "namespace",
            "tests of clients on other machines, in a network of their own",
            ("iproute2", "util-linux"),
            ("ip", "unshare"),
        ),
        SystemNeed("openssl", "tests of TLS to a broker", ("openssl",), ("openssl",)),
        SystemNeed(
            "rabbitmq",
            "tests on RabbitMQ, on a private node",
            ("rabbitmq-server",),
            ("rabbitmq-server", "epmd"),
        ),
        SystemNeed(
            "activemq",
            "tests on ActiveMQ, on a private broker",
            ("activemq", "default-jre-headless"),
            ("activemq", "java"),
        ),
    )
}


def find_program(name: str) -> str | None:
    """Its path, or None; also looks where Debian keeps servers, which is not on everybody's path."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return shutil.which(name, path=path)


def install_line(packages: Iterable[str]) -> str:
    """The one line to copy that installs these on Debian and Ubuntu."""
    administrator = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
    return f"{administrator}apt-get install -y {' '.join(packages)}"


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
