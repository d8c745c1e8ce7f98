"""Pushscope's entry point: opens the window, or runs a subcommand."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without a subcommand the window opens."""
    if sys.argv[-1] == "--child":
        # A process of a cluster, whose start does not wait for a command line made for people.
        from server.roles.process import run_child

        sys.exit(run_child(sys.argv[1:]))
    if sys.argv[1:] == ["worker"]:  # as above: a child of an engine, on the way to the first push
        from core.load.worker_process import run_worker

        sys.exit(run_worker())
    try:
        from cli.interrupts import ignore_interrupts, leave_on_interrupt

        leave_on_interrupt()
    except KeyboardInterrupt:
        sys.exit(130)
    from cli.app import run

    try:
        run()
    finally:
        ignore_interrupts()


if __name__ == "__main__":
    main()
