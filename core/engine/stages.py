"""Where lost pushes were last seen: the instances that still live are asked (``POST /stages``)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from ..load.orders import LostRow
from ..metrics import NOWHERE
from ..push_token import push_headers

if TYPE_CHECKING:
    import aiohttp

#: How far a push came, least first; a stage with a count (``resolved:2``) ranks by its name.
ORDER: Final = (
    "accepted", "no-session", "resolved", "no-subscriber", "to-broker",
    "from-broker", "queued", "dropped", "cut", "written",
)  # fmt: skip

#: What is known of a push whose API takes no id and gives none.
NO_IDS: Final = "not known: the push API has no ids"

_BATCH: Final = 500
_WITHIN: Final = 3.0


class _Answer(msgspec.Struct):
    stages: dict[str, str] = {}


async def ask_stages(
    rows: Iterable[LostRow], instances: Mapping[str, str], guarded: Container[str] = ()
) -> dict[str, str]:
    """The furthest stage of each push that any instance knows of, by id, as ``<stage> on <instance>``.

    ``instances`` are base URLs of instances that are alive; those of ``guarded`` are told the token of
    ``PUSHSCOPE_TOKEN``. One that does not answer is passed over: what it knew is not known then.
    """
    ids = [row.id for row in rows]
    found: dict[str, tuple[int, str]] = {}
    if not ids:
        return {}
    import aiohttp  # a third of a second, on the way to the first push; and mostly nothing is lost

    timeout = aiohttp.ClientTimeout(total=_WITHIN)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for name, url in instances.items():
            for start in range(0, len(ids), _BATCH):
                headers = push_headers() if name in guarded else {}
                stages = await _ask(session, url, ids[start : start + _BATCH], headers)
                for push_id, stage in stages.items():
                    known = found.get(push_id, (-1, ""))
                    found[push_id] = max(known, (rank(stage), f"{stage} on {name}"), key=lambda pair: pair[0])
    return {push_id: words for push_id, (_, words) in found.items()}


async def _ask(
    session: aiohttp.ClientSession, url: str, ids: list[str], headers: Mapping[str, str]
) -> dict[str, str]:
    from aiohttp import ClientError

    try:
        async with session.post(f"{url.rstrip('/')}/stages", json={"ids": ids}, headers=headers) as response:
            body = await response.read()
            if response.status != 200:
                return {}
    except (ClientError, TimeoutError, OSError):
        return {}
    try:
        return msgspec.json.decode(body, type=_Answer).stages
    except (ValueError, RecursionError):
        return {}


def rank(stage: str) -> int:
    """How far a push of this stage came; -1 for a word that is not known."""
    name = stage.partition(":")[0]
    return ORDER.index(name) if name in ORDER else -1


def stage_in_words(row: LostRow, stage: str | None, dead: Mapping[str, float], t: float) -> str:
    """What can be said about the end of a push.

    Args:
        row: The lost push.
        stage: What the instances that live know of it, or None.
        dead: When instances died, by id, in the engine's seconds.
        t: When the push was to be sent.
    """
    if row.on in dead and dead[row.on] >= t - 1.0:
        died = f"instance {row.on} died"
        return f"{stage}; {died}" if stage else died
    if stage is not None:
        return f"{stage}; the user was not connected" if row.on == NOWHERE else stage
    if row.via in dead:
        return f"accepted; instance {row.via} died"
    return "not known to any instance"
