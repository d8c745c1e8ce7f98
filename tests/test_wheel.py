"""The wheel in a clean environment, in a folder that has its own ``core``, ``server``, ``gui``, ``cli``."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.version import VERSION
from development.environment import ROOT
from development.without_qt import ensure_base_environment

pytestmark = pytest.mark.timeout(400)

#: The chat of assets/examples as a module: two instances of it, and a message through the broker.
CHAT = """
import asyncio
import chat
from pushscope.server import InstanceSettings
from pushscope.server.brokers.embedded import EmbeddedBroker

async def main():
    async with EmbeddedBroker() as broker:
        def settings(id):
            return InstanceSettings(id=id, service="chat", broker_url=broker.url, default_user="")
        async with chat.service(settings("c1"), "c.db") as one, chat.service(settings("c2"), "c.db") as two:
            assert one.url != two.url
            await one.template.send("/topic/chat.tea", chat.Said("lijian", "hello"), confirm=True)

asyncio.run(main())
"""

#: A cluster in one process, and a push from one instance to a user on the other.
CLUSTER = """
import asyncio
from pushscope.core import Scenario, run
from pushscope.server import LocalCluster

async def main():
    async with LocalCluster(instances=2, in_process=True) as cluster:
        result = await run(Scenario(users=4, rate=20, duration=1), cluster)
    assert result.lost == 0, result
    assert result.exit_code in (0, 30), result  # 30: a busy machine held the sender up

asyncio.run(main())
"""


class Installed:
    """The wheel's interpreter, and the folder it is used in."""

    def __init__(self, python: Path, folder: Path, wheel: Path) -> None:
        self.python = python
        self.folder = folder
        self.wheel = wheel

    def run(self, *words: str, code: int = 0) -> str:
        """Run the interpreter there with these arguments and return its output."""
        return self.execute(str(self.python), *words, code=code)

    def execute(self, *command: str, code: int = 0) -> str:
        """Run any command there."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it beside the base dependencies only."""
    dist = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=120)
    (wheel,) = dist.glob("*.whl")
    python = ensure_base_environment()
    pip = [str(python), "-m", "pip", "install", "--no-deps", "--force-reinstall", "--quiet", str(wheel)]
    subprocess.run(pip, cwd=dist, check=True, timeout=120)
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("core", "server", "gui", "cli"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("OWNER = 'somebody else'\n", "utf-8")
    (folder / "main.py").write_text("OWNER = 'somebody else'\n", "utf-8")
    return Installed(python, folder, wheel)


def test_wheel_holds_one_package_with_its_assets(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"pushscope", f"pushscope-{VERSION}.dist-info"}
    assert len(names) == len(set(names))
    assert "pushscope/main.py" not in names
    assert {"pushscope/__init__.py", "pushscope/__main__.py", "pushscope/py.typed"} <= set(names)
    tracked = subprocess.run(
        ["git", "ls-files", "assets"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = {f"pushscope/{name}" for name in tracked if not name.startswith("assets/screenshots")}
    fetched = {file.name for file in (ROOT / "assets" / "demo" / "vendor").glob("*")}  # by dev.py page
    assert wanted | {f"pushscope/assets/demo/vendor/{name}" for name in fetched} <= set(names)


def test_there_is_no_qt(installed: Installed) -> None:
    installed.run("-c", "import PySide6", code=1)


def test_the_folder_s_own_packages_stay_its_own(installed: Installed) -> None:
    owner = "import core, pushscope.core; assert pushscope.core is not core; print(core.OWNER)"
    assert installed.run("-c", owner).strip() == "somebody else"


def test_version_by_command_and_module(installed: Installed) -> None:
    command = str(installed.python.with_name("pushscope"))
    assert installed.execute(command, "--version").strip() == f"pushscope {VERSION}"
    assert installed.run("-m", "pushscope", "--version").strip() == f"pushscope {VERSION}"


def test_children_of_ours_start(installed: Installed) -> None:
    code = (
        "import subprocess, sys; from pushscope.core.launch import self_command;"
        "sys.exit(subprocess.run(self_command('--version')).returncode)"
    )
    assert installed.run("-c", code).strip() == f"pushscope {VERSION}"


def test_every_module_but_the_window_s_imports(installed: Installed) -> None:
    code = (
        "import pkgutil, importlib, pushscope\n"
        "for part in ('core', 'server', 'cli'):\n"
        "    package = importlib.import_module('pushscope.' + part)\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
    )
    installed.run("-W", "error", "-c", code)


def test_doctor_tells_about_the_missing_toolkit(installed: Installed) -> None:
    assert "pushscope[gui]" in installed.run("-m", "pushscope", "doctor")


def test_window_without_toolkit_says_so(installed: Installed) -> None:
    installed.run("-m", "pushscope", code=2)


def test_cluster_and_run_in_one_process(installed: Installed) -> None:
    installed.run("-W", "error", "-c", CLUSTER)


def test_the_chat_of_the_examples_runs(installed: Installed) -> None:
    text = (ROOT / "assets" / "examples" / "chat.py").read_text("utf-8")
    (installed.folder / "chat.py").write_text(text, "utf-8")
    installed.run("-W", "error", "-c", CHAT)


@pytest.mark.parametrize("where", ["wheel", "checkout"])
def test_the_readme_s_example_runs(installed: Installed, where: str) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    python = str(installed.python) if where == "wheel" else sys.executable
    script = installed.folder / f"example_{where}.py"
    script.write_text(example, "utf-8")
    # As a script its folder, with its own core and server, comes first on the module path.
    flags = [] if where == "wheel" else ["-P"]  # the checkout's flat names would be shadowed
    installed.execute(python, *flags, str(script))
