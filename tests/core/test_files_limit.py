"""The soft limit of open files follows the hard one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.files_limit import files_limit

_RAISE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
from core.files_limit import files_limit, raise_files_limit
limit = raise_files_limit()
assert limit is not None and limit == files_limit()
assert limit.soft > 64
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_soft_limit_is_raised(pytestconfig: pytest.Config) -> None:
    # In a child: a lowered limit would stay with the test process.
    root = str(pytestconfig.rootpath)
    done = subprocess.run([sys.executable, "-c", _RAISE, root], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_limit_is_known_or_absent() -> None:
    limit = files_limit()
    assert limit is None or 0 < limit.soft <= limit.hard
