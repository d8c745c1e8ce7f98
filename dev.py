"""Every chore by name: ``python3 dev.py run`` starts the demo, ``python3 dev.py test`` runs all tests.

Standard library only: it makes the environment that the chores need, from a fresh clone with nothing but
Python. This file is kept readable for old Pythons, so that they can say what is missing.
"""

import shutil
import sys

OLDEST = (3, 11)


def main() -> int:
    """Check the interpreter, then hand over to ``development.chores``."""
    if sys.version_info < OLDEST:
        version = ".".join(str(number) for number in sys.version_info[:3])
        sys.stderr.write(f"Pushscope needs Python 3.11 or newer; this is {version} ({sys.executable}).\n")
        newer = [
            name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if shutil.which(name)
        ]
        if newer:
            sys.stderr.write(f"There is one here: {newer[0]} {' '.join(sys.argv)}\n")
        else:
            sys.stderr.write("On Debian 12 and Ubuntu 24.04 or newer: apt-get install python3 python3-venv\n")
        return 2
    from development.chores import run_chore

    return run_chore(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
