"""Pushscope's entry point: opens the window, or runs a subcommand."""

from __future__ import annotations


def main() -> None:
    """Run the command line; without a subcommand the window opens."""
    from cli.app import run

    run()


if __name__ == "__main__":
    main()
