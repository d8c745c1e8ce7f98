"""Measurements, for people: ``python3 dev.py bench`` prints them side by side and never asserts.

A measurement is a module ``bench_<name>.py`` with one function::

    def main(rounds: int, quick: bool) -> Iterable[Row]

Each runs in a process of its own. Candidates that are compared run interleaved, round by round, and the
median counts (:mod:`.measuring`), so that a slow minute of the machine hits all of them.
"""
