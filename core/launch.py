"""How to start ourselves as a child: the one place that knows.

Works from a checkout (also installed editable), from the wheel and from a frozen program.
"""

from __future__ import annotations

import sys
from pathlib import Path


def self_command(*arguments: str) -> list[str]:
    """The command line that runs ``pushscope`` with these arguments in a new process.

    A folder with its own ``core/`` as the working directory changes nothing: neither form puts the
    working directory on the module path.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    package = __name__.partition(".")[0]
    if package == "core":  # the checkout: main.py's folder comes first on the path, as it must
        main = Path(__file__).resolve().parent.parent / "main.py"
        return [sys.executable, str(main), *arguments]
    # The wheel. As a script, __main__.py would put the folder of our package on the path and so
    # expose its parts as top-level modules; -m alone would put the working directory there.
    return [sys.executable, "-P", "-m", package, *arguments]
