"""Every conformance case has a test that bears its number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

#: Those of docs/wire/conformance.md.
CASES: Final = range(1, 43)

_TEST: Final = re.compile(r"^(?:async )?def test_case_(\w+?)_\w+\(", re.MULTILINE)


def test_every_case_has_a_test() -> None:
    """The numbers are read from the files, so that a test that is skipped or deselected counts too."""
    numbers: set[int] = set()
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for number in _TEST.findall(path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"\d\d", number), f"{path.name}: the number of case {number} needs two digits"
            numbers.add(int(number))
    missing = [number for number in CASES if number not in numbers]
    assert not missing, f"conformance cases without a test: {missing}"
    assert numbers <= set(CASES), f"there are no such cases: {sorted(numbers - set(CASES))}"
