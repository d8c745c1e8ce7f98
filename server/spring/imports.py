"""Files that ``spring.config.import`` names, as ``optional:file:.env[.properties]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .profiles import names_in

_LOCATION: Final = re.compile(r"(optional:)?(file:|classpath:/?)?([^:]+?)(\[(\.[a-z]+)\])?")


def imported_files(words: str, source: str) -> Iterator[tuple[str, Path | None, str]]:
    """Each location with its file and the suffix that says what is in it.

    Args:
        words: The value, locations with commas between them.
        source: The file that says so. Others are looked for beside it, then where the program runs.

    Yields:
        The location; the file, or None if it is none that can be read; ``.properties`` or the like.
        Optional ones that are not there are left out.
    """
    for location in names_in(words):
        match = _LOCATION.fullmatch(location)
        if match is None:  # configserver:, nacos: and others that are no files
            yield location, None, ""
            continue
        places = (Path(source).parent / match[3], Path(match[3]))
        found = next((place for place in places if place.is_file()), None)
        suffix = match[5] or Path(match[3]).suffix
        if found is None and match[1]:
            continue
        yield location, found if suffix in (".properties", ".yml", ".yaml") else None, suffix
