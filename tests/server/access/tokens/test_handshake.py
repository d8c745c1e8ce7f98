"""Where tokens are found in a handshake, and how refusals read."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from server.access.admission import Denied, Principal
from server.access.tokens import BadToken, Credentials
from server.access.tokens.handshake import LONGEST_TOKEN, Authenticate, ByToken, token_of
from server.messages.counters import Counters
from server.sockjs.application import Request

#: Tells a token from everything else that tests write.
JOE = "token-of-joe"


def by_name(credentials: Credentials) -> Principal | None:
    """``token-of-<name>``"""
    head, _, name = credentials.token.rpartition("-")
    return Principal(name) if head == "token-of" else None


def scope(query: str = "", *bearer: str, **headers: str) -> dict[str, Any]:
    pairs = [(b"authorization", f"Bearer {token}".encode()) for token in bearer]
    pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"path": "/ws", "query_string": query.encode(), "headers": pairs, "client": ("10.0.0.9", 1)}


async def denial(authenticate: Authenticate, given: dict[str, Any]) -> tuple[int, str]:
    with pytest.raises(Denied) as caught:
        await ByToken(authenticate, Counters()).admit(given)
    return caught.value.status, dict(caught.value.headers).get(b"www-authenticate", b"").decode()


@pytest.mark.parametrize(
    "given",
    [
        scope(f"access_token={JOE}"),
        scope(f"user=root&access_token={JOE}&x=1"),
        scope("", JOE),
        scope("", JOE, JOE),
        scope(f"access_token={JOE}", JOE),
        scope(f"access_token=&access_token={JOE}"),
        scope("access_token=token%2Dof%2Djoe"),
        scope("", authorization=f"bearer  {JOE} "),
        scope(f"access_token={JOE}", authorization="Basic am9lOnB3"),
    ],
)
async def test_where_a_token_may_be(given: dict[str, Any]) -> None:
    assert await ByToken(by_name, Counters()).admit(given) == Principal("joe")


@pytest.mark.parametrize(
    "given",
    [
        scope(f"access_token={JOE}", "token-of-ann"),
        scope(f"access_token={JOE}&access_token=token-of-ann"),
        scope("", JOE, "token-of-ann"),
        scope(f"access_token={'x' * (LONGEST_TOKEN + 1)}"),
        scope(f"access_token={JOE}{'&a=b' * 200}"),
    ],
)
async def test_what_is_no_request(given: dict[str, Any]) -> None:
    status, challenge = await denial(by_name, given)
    assert status == 401
    assert challenge.startswith('Bearer realm="pushscope", error="invalid_request", error_description="')


async def test_no_token_is_told_from_a_bad_one() -> None:
    """RFC 6750 §3.1: who sent no token is told no error."""
    assert await denial(by_name, scope()) == (401, 'Bearer realm="pushscope"')
    assert await denial(by_name, scope("Access_Token=x&acces%73_token=x")) == (
        401,
        'Bearer realm="pushscope"',
    )
    status, challenge = await denial(by_name, scope("access_token=nonsense"))
    assert (status, 'error="invalid_token"' in challenge, "nonsense" in challenge) == (401, True, False)


async def test_an_application_says_why() -> None:
    def expired(credentials: Credentials) -> Principal | None:
        raise BadToken('sign in "again"\\é')

    _, challenge = await denial(expired, scope("", JOE))
    assert challenge.endswith("""error="invalid_token", error_description="sign in 'again'/?\"""")


async def test_words_of_an_application_stay_one_line_without_the_token() -> None:
    def refuse(credentials: Credentials) -> Principal | None:
        raise BadToken(f"{credentials.token}\r\nset-cookie: a=b\x00\x7f")

    with pytest.raises(Denied) as caught:
        await ByToken(refuse, Counters()).admit(scope("", JOE))
    (name, challenge), *more = caught.value.headers
    assert (name, more) == (b"www-authenticate", [])
    assert challenge.endswith(b'error_description="*** set-cookie: a=b??"')
    assert JOE not in caught.value.sentence and "\n" not in caught.value.sentence


async def test_an_application_that_answers_nonsense(caplog: pytest.LogCaptureFixture) -> None:
    def names(credentials: Credentials) -> Any:
        return "joe"

    assert (await denial(names, scope("", JOE)))[0] == 500
    assert "'str' object has no attribute 'name'" in caplog.text
    status, challenge = await denial(lambda credentials: Principal("a%2Fb"), scope("", JOE))
    assert (status, "cannot be used" in challenge) == (401, True)


async def test_what_an_application_is_given() -> None:
    seen: list[Credentials] = []

    async def ask(credentials: Credentials) -> Principal | None:
        await asyncio.sleep(0)
        seen.append(credentials)
        return Principal("joe", claims={"role": "admin"})

    found = await ByToken(ask, Counters()).admit(scope(f"room=5&access_token={JOE}&n=", cookie="a=b"))
    assert found is not None and found.claims == {"role": "admin"}
    (one,) = seen
    assert (one.token, dict(one.query), one.headers["cookie"]) == (JOE, {"room": "5", "n": ""}, "a=b")
    assert (one.client, one.path) == ("10.0.0.9", "/ws")
    assert JOE not in repr(one)


async def test_an_application_that_fails_betrays_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(credentials: Credentials) -> Principal | None:
        raise LookupError(f"no row for {credentials.token}")

    def late(credentials: Credentials) -> Principal | None:
        raise TimeoutError(credentials.token)

    with caplog.at_level(logging.DEBUG):
        assert (await denial(broken, scope("", JOE)))[0] == 500
        assert (await denial(late, scope("", JOE)))[0] == 503
        await denial(by_name, scope("access_token=nonsense"))
    assert "no row for ***" in caplog.text and "refused" in caplog.text
    assert JOE not in caplog.text and "nonsense" not in caplog.text


async def test_refusals_are_counted() -> None:
    counters = Counters()
    door = ByToken(by_name, counters)
    for given in (scope(), scope("access_token=x"), scope(f"access_token={JOE}", "y")):
        with pytest.raises(Denied):
            await door.admit(given)
    await door.admit(scope("", JOE))
    assert counters.unauthorized == 3


async def test_later_requests_of_a_session() -> None:
    """The same token always does; another one has to be valid and of the same user.

    See docs/wire/sockjs.md §9.
    """
    valid = {JOE, "token-of-ann"}

    def ask(credentials: Credentials) -> Principal | None:
        return by_name(credentials) if credentials.token in valid | {"x-token-of-joe"} else None

    door = ByToken(ask, Counters())
    opening = Request("/", f"access_token={JOE}".encode(), (), "", "http", Principal("joe"))
    for bound in (False, True):
        assert await door.recognises(opening, scope("", JOE), bound=bound)
        assert not await door.recognises(opening, scope("", "token-of-ann"), bound=bound)
        assert not await door.recognises(opening, scope(f"access_token={JOE}", "other"), bound=bound)
        with pytest.raises(Denied):
            await door.recognises(opening, scope("", "nonsense"), bound=bound)
    assert await door.recognises(opening, scope(), bound=False)
    with pytest.raises(Denied):
        await door.recognises(opening, scope(), bound=True)
    valid.clear()  # joe's token has expired
    assert await door.recognises(opening, scope("", JOE), bound=False)


def test_other_schemes_are_no_tokens() -> None:
    for value in (b"Basic YTpi", b"Bearer", b"Bearer ", b"Digest x", b""):
        assert token_of(b"", [(b"authorization", value)]) == ""
