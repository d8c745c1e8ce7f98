"""The configuration that files make together, as Spring Boot reads them.

Of a key that several say the last one counts: the documents of a file in their order, behind a file
those beside it for the active profiles (``application-prod.yml``), then the next file. A list counts as a
whole. Documents for profiles that are not active do not count, and are named in a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from yaml.nodes import Node, ScalarNode, SequenceNode

from core.errors import UsageError
from core.reasons import reason_of

from .imports import imported_files
from .placeholders import Placeholders, UnfilledError
from .profiles import VARIABLE, accepts, names_in, with_groups
from .properties import read_properties
from .settings import Document, Setting, place_of
from .yaml_text import read_yaml

SUFFIXES: Final = (".properties", ".yml", ".yaml")
_LARGEST: Final = 1024 * 1024
_ON_PROFILE: Final = ("spring.config.activate.onprofile", "spring.profiles")
_ACTIVE, _INCLUDE, _USUAL = "spring.profiles.active", "spring.profiles.include", "spring.profiles.default"
_GROUP: Final = "spring.profiles.group."
_PLATFORM: Final = "spring.config.activate.oncloudplatform"
_IMPORT: Final = "spring.config.import"
_OWN: Final = (_ACTIVE, _INCLUDE, _USUAL, _PLATFORM, *_ON_PROFILE)


@dataclass(slots=True)
class Configuration:
    """What counts.

    Attributes:
        settings: The last one of every key, in the order of the files.
        placeholders: Fills values.
        profiles: Which are active.
        warnings: Which documents and files do not count.
    """

    settings: list[Setting]
    placeholders: Placeholders
    profiles: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list[str])


def load_configuration(
    paths: Sequence[Path], environment: Mapping[str, str], profiles: Sequence[str] = ()
) -> Configuration:
    """Read files and those beside them.

    Args:
        paths: ``.yml``, ``.yaml`` and ``.properties`` files.
        environment: Fills placeholders, and names active profiles.
        profiles: Active ones, instead of those that the environment or the files name.

    Raises:
        UsageError: one cannot be read, or is not understood; names file and line.
    """
    given = [(path, documents_of(text_of(path), str(path))) for path in paths]
    reader = _Reader(environment, profiles, paths)
    reader.choose([document for _, documents in given for document in documents])
    for path, documents in given:
        reader.take(documents)
        for profile in reader.profiles:
            for suffix in SUFFIXES:
                beside = path.with_name(f"{path.stem}-{profile}{suffix}")
                if beside.is_file() and beside not in paths:
                    reader.take(documents_of(text_of(beside), str(beside)))
    return reader.result()


def parse_configuration(
    text: str, source: str, environment: Mapping[str, str], profiles: Sequence[str] = ()
) -> Configuration:
    """Read the text of one file; the arguments and errors are those of :func:`load_configuration`."""
    reader = _Reader(environment, profiles)
    documents = documents_of(text, source)
    reader.choose(documents)
    reader.take(documents)
    return reader.result()


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path}: {reason_of(error)}",
            tried=f"read {path}",
            hint="give an existing .yml, .yaml, .properties or .toml file",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text", tried=f"read {path}") from error


def documents_of(text: str, source: str) -> list[Document]:
    """The documents of a file's text.

    Raises:
        UsageError: it is too large, or not understood.
    """
    if len(text) > _LARGEST:
        raise UsageError(f"{source}: is larger than 1 MiB", tried=f"read {source}")
    return read_properties(text, source) if source.endswith(".properties") else read_yaml(text, source)


class _Reader:
    """Puts documents together, those that come later over those that came before."""

    def __init__(
        self, environment: Mapping[str, str], profiles: Sequence[str], paths: Sequence[Path] | None = None
    ) -> None:
        self.profiles: tuple[str, ...] = ()
        self._with_files = paths is not None
        self._read = {path.resolve() for path in paths or ()}
        self._environment = environment
        self._said = tuple(profiles) or names_in(environment.get(VARIABLE, ""))
        self._settings: dict[str, Setting] = {}
        self._values: dict[str, str] = {}
        self._warnings: list[str] = []

    def choose(self, documents: Sequence[Document]) -> None:
        """Find out which profiles are active; documents for profiles have no say in it."""
        general: dict[str, Setting] = {}
        values: dict[str, str] = {}
        for document in documents:
            if _condition(document) is None:
                general |= {setting.plain: setting for setting in document.settings}
                values |= document.values
        placeholders = Placeholders(self._environment, values)

        def listed(plain: str) -> tuple[str, ...]:
            return tuple(_texts(general[plain].node, placeholders)) if plain in general else ()

        groups = {
            setting.key.rpartition(".")[2]: tuple(_texts(setting.node, placeholders))
            for plain, setting in general.items()
            if plain.startswith(_GROUP)
        }
        active = self._said or listed(_ACTIVE) or (listed(_USUAL) or ("default",))
        self.profiles = with_groups((*listed(_INCLUDE), *active), groups)

    def take(self, documents: Sequence[Document]) -> None:
        """The documents of the next file."""
        for document in documents:
            if not self._counts(document):
                continue
            imported: list[Document] = []
            for setting in document.settings:
                if setting.plain == _IMPORT:
                    imported += self._imported(setting)
                elif setting.plain not in _OWN and not setting.plain.startswith(_GROUP):
                    # What comes last stands last, so that warnings are in the order of the files.
                    self._settings.pop(setting.plain, None)
                    self._settings[setting.plain] = setting
            self._values |= document.values
            self.take(imported)  # which counts over the document that asks for it

    def _imported(self, setting: Setting) -> list[Document]:
        """The documents of the files that are imported, each file once; what is no file is a warning."""
        place = place_of(setting.node)
        words = ",".join(_texts(setting.node, Placeholders(self._environment, self._values)))
        found: list[Document] = []
        if not self._with_files:
            self._warn(setting, "is not read: give the files too")
            return found
        for location, path, suffix in imported_files(words, str(setting.node.start_mark.name)):
            if path is None:
                self._warnings.append(f"{place}: {setting.key}: {location} is not read: give the file too")
            elif path.resolve() not in self._read:
                self._read.add(path.resolve())
                read = read_properties if suffix == ".properties" else documents_of
                found += read(text_of(path), str(path))
        return found

    def result(self) -> Configuration:
        """All of it."""
        placeholders = Placeholders(self._environment, self._values)
        return Configuration(list(self._settings.values()), placeholders, self.profiles, self._warnings)

    def _counts(self, document: Document) -> bool:
        setting = _condition(document)
        if setting is None:
            return True
        if setting.plain == _PLATFORM:
            self._warn(setting, "this document is for a cloud platform, and ignored")
            return False
        placeholders = Placeholders(self._environment, self._values)
        expression = ",".join(_texts(setting.node, placeholders))
        try:
            counts = accepts(expression, self.profiles)
        except ValueError as error:
            raise UsageError(f"{place_of(setting.node)}: {setting.key}: {error}") from error
        if not counts:
            active = ", ".join(self.profiles)
            self._warn(
                setting, f"this document is for {expression!r} and ignored; active is {active} ({VARIABLE})"
            )
        return counts

    def _warn(self, setting: Setting, words: str) -> None:
        self._warnings.append(f"{place_of(setting.node)}: {setting.key}: {words}")


def _condition(document: Document) -> Setting | None:
    return next((x for x in document.settings if x.plain in (*_ON_PROFILE, _PLATFORM)), None)


def _texts(node: Node, placeholders: Placeholders) -> Iterator[str]:
    """The words of a list, which may be one text with commas."""
    nodes = cast("list[Node]", node.value) if isinstance(node, SequenceNode) else [node]
    for each in nodes:
        if isinstance(each, ScalarNode):
            try:
                yield from names_in(placeholders.fill(str(each.value), place_of(each)))
            except UnfilledError:
                continue  # as @activatedProperties@ of Maven, it is no name of a profile
