"""Citations in comments and docstrings have targets: a section of docs/, or a public text by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_structure import ROOT, SOURCES, source

#: This file has citations that are meant to be wrong.
CITING = [name for name in SOURCES if ROOT / name != Path(__file__)]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))

_NUMBER = r"\d+(?:\.\d+)*"
#: ``§3``, ``§3, §8``, ``§3 to §5``.
_SECTIONS = rf"§{_NUMBER}(?:(?:,| to| and|, and) §{_NUMBER})*"
_CITATION = re.compile(rf'(?<![\w/])(docs/[\w./-]+\.md)(?: ({_SECTIONS})|, "([^"]+)")?')
#: Texts that everybody can open, whose sections are their own.
_PUBLIC = re.compile(rf"(?:RFC \d+|STOMP 1\.[012]|AMQP 0-9-1(?: specification)?) {_SECTIONS}")
#: How documents outside of the repository were cited.
_OUTSIDE = re.compile(
    r"\b[Ss]pec (?:§|\d|[A-B]\d\b)|\bdesign (?:§|\d)|\bfact sheet\b|\(DEV\)|, DEV\b"
    r"|(?<!wire/)\b(?:sockjs|spring-relay|rabbitmq|gateway-discovery|gui|design)\.md\b"
)
#: A line end inside a comment or a docstring, with what begins the next line.
_LINE_END = re.compile(r"\s*\n\s*(?:#:? )?")
_HEADING = re.compile(rf"^#+ (?:({_NUMBER})\.? )?(.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(?:#[^)]*)?\)")
#: Files of ours that a document names.
_FILE = re.compile(r"`((?:core|server|gui|cli|development|tests|assets)/[\w./-]*)`")


@cache
def sections(document: str) -> frozenset[str]:
    """Numbers and titles of a document's headings."""
    found = _HEADING.findall((ROOT / document).read_text("utf-8"))
    return frozenset(word for heading in found for word in heading if word)


@cache
def text_of(name: str) -> str:
    """A source file with the lines of its comments and docstrings joined."""
    return _LINE_END.sub(" ", source(name))


def wrong_citations(text: str) -> Iterator[str]:
    """What a text cites of docs/ that is not there."""
    for document, numbers, title in _CITATION.findall(text):
        if not (ROOT / document).is_file():
            yield f"there is no {document}"
            continue
        wanted = [*re.findall(_NUMBER, numbers), *([title] if title else [])]
        yield from (f"{document} has no section {each}" for each in wanted if each not in sections(document))


@pytest.mark.parametrize("cited", ["docs/nothing.md", "docs/wire/stomp.md §99", 'docs/wire/stomp.md, "None"'])
def test_a_citation_without_a_target_is_found(cited: str) -> None:
    assert list(wrong_citations(f"Whatever ({cited})."))


def test_citations_have_targets() -> None:
    wrong = [f"{name}: {each}" for name in CITING for each in wrong_citations(text_of(name))]
    assert not wrong


def test_every_section_belongs_to_a_document() -> None:
    wrong = [
        f"{name}: …{rest[max(0, at - 40) : at + 10]}"
        for name in CITING
        for rest in [_PUBLIC.sub("", _CITATION.sub("", text_of(name)))]
        for at in [match.start() for match in re.finditer("§", rest)]
    ]
    assert not wrong, "write docs/FILE.md §1.2, or name the public text"


def test_nothing_outside_of_the_repository_is_cited() -> None:
    wrong = [
        f"{name}: {match[0]!r}"
        for name in CITING
        for match in _OUTSIDE.finditer(_CITATION.sub("", text_of(name)))
    ]
    assert not wrong


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_what_is_there(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    missing = [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    assert not missing, "these files are not there (any more)"
    for words, target in _LINK.findall(text):
        if "://" in target:
            continue
        path = (ROOT / document).parent.joinpath(target).resolve()
        assert path.exists(), f"{target} is not there"
        for number in re.findall(rf"§({_NUMBER})", words):
            assert number in sections(path.relative_to(ROOT).as_posix()), f"{target} has no section {number}"


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.startswith("docs/wire/")])
def test_sections_have_numbers_of_their_own(document: str) -> None:
    numbers = [number for number, _ in _HEADING.findall((ROOT / document).read_text("utf-8")) if number]
    assert len(numbers) == len(set(numbers))
