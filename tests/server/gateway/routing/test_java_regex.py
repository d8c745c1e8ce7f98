"""Java's regular expressions: what is the same, what is translated, what is refused."""

from __future__ import annotations

import pytest

from server.gateway.routing.java_regex import can_explode, compile_java


@pytest.mark.parametrize(
    ("expression", "matching", "other"),
    [
        (r"(?<a>\d+)-\k<a>", ["1-1", "12-12"], ["1-2"]),
        (r"(a)\11", ["aa1"], ["aa"]),  # there is no group 11: group 1, and a 1
        (r"\Qa.b*\E+", ["a.b*", "a.b**"], ["axb"]),
        (r"\Qa.b", ["a.b"], ["axb"]),
        (r"[\Q^]\Ea]+", ["^]a"], ["b"]),
        (r"\p{Alpha}+\P{Digit}", ["ab", "a-"], ["a1", "é-"]),
        (r"[\p{Upper}_]+", ["A_B"], ["a"]),
        (r"\p{Punct}+", ["!-/:@[`{~]"], ["a", " "]),
        (r"\w+\s\d", ["a 1"], ["é 1", "a\xa01", "a ١"]),
        (r"(?i)abc", ["aBc"], ["abd"]),
        (r"(?i:a)b", ["Ab"], ["AB"]),
        (r"\x41\x{42}\u0043\0104\cA\e\t", ["ABCD\x01\x1b\t"], []),
        (r"\h\H\v\V\R", [" a\na\r\n", "\t-\x0b \n"], ["a a\n\n"]),
        (r"a\z|\Ab\Z", ["a", "b"], ["ab"]),
        (r"[]a]+", ["]a"], ["["]),
        (r"[^]a]+", ["[b"], ["]"]),
        (r"[+--]", ["+", ",", "-"], ["."]),
        (r"[a&~|-]+", ["a&~|-"], ["b"]),
        (r"a++b*+c?+", ["aabc", "aa"], ["b"]),
        (r"(?>a|ab)c", ["ac"], ["abc"]),
        (r"(?<!x)a(?=b)b{1,2}", ["ab", "abb"], ["abbb"]),
        (r"a{2}b{1,}]}", ["aab]}", "aabb]}"], ["ab]}"]),
        (r"\/\-\.\{", ["/-.{"], []),
        ("", [""], ["a"]),
    ],
)
def test_translations(expression: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_java(expression)
    assert [text for text in matching if compiled.fullmatch(text) is None] == []
    assert [text for text in other if compiled.fullmatch(text) is not None] == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(", "missing"),
        (")", "without its"),
        ("a**", "multiple repeat"),
        ("[a", "without its"),
        ("[]", "without its"),
        ("a\\", "ends with a backslash"),
        ("[a\\", "ends with a backslash"),
        ("{a}", "written \\{"),
        ("a{,3}", "written \\{"),
        ("[a-z&&[^b]]", "cannot be translated"),
        ("[a[b]]", "cannot be translated"),
        (r"\p{IsGreek}", "\\p{IsGreek} cannot be translated"),
        (r"\pL", "cannot be translated"),
        (r"\G", "\\G cannot be translated"),
        (r"[\b]", "\\b cannot be translated"),
        (r"\X", "\\X cannot be translated"),
        (r"\k{a}", "\\k<name>"),
        (r"\k<a>", "unknown group"),
        (r"\1", "invalid group"),
        ("a(?i)b", "at the start"),
        ("(?x)a", "flags 'x'"),
        ("(?u:a)", "flags 'u'"),
        ("(?P<a>b)", "is not Java's"),
        ("(?#a)", "is not Java's"),
        ("(?<a-b>c)", "letters and digits"),
        ("(?<a>b)(?<a>c)", "redefinition"),
        ("(?<=a*)b", "fixed-width"),
        ("a" * 3000, "2000 characters at most"),
        ("a{1000000}{1000000}", "regular expression"),
        ("(" * 1000 + ")" * 1000, "regular expression"),
    ],
)
def test_what_cannot_be_translated_is_said(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        compile_java(expression)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "can"),
    [
        ("(a+)+", True),
        ("(?:x(a*b)?)*", True),
        ("((a{2,}))+", True),
        ("(a+)?", False),
        ("(a+)++", False),
        ("(ab)+c*", False),
        ("[(a+)]+", False),
        (r"/(?<path>.*)", False),
    ],
)
def test_repetitions_of_repetitions(expression: str, can: bool) -> None:
    assert can_explode(expression) is can
