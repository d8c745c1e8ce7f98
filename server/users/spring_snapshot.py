"""Our local users as Spring's snapshot, kept ready: only who has changed is written anew."""

from __future__ import annotations

from .registry import UserRegistry
from .slices import STEP, Work
from .spring_json import encode_entry, join_snapshot


class LocalSnapshot:
    """The entries of our local users' snapshot, as JSON.

    Args:
        id: The snapshot's id.
        registry: Whose local users.
    """

    def __init__(self, id: str, registry: UserRegistry) -> None:
        self._id = id
        self._registry = registry
        self._entries: dict[str, bytes] = {}
        self._changed: dict[str, None] = dict.fromkeys(registry.local_by_user())

    def __len__(self) -> int:
        return len(self._entries)

    def changed(self, user: str) -> None:
        """A session or a subscription of a user has come or gone."""
        self._changed[user] = None

    def refresh(self) -> Work:
        """Write the entries of who has changed, also of who changes meanwhile."""
        changed, entries, registry = self._changed, self._entries, self._registry
        count = 0
        while changed:
            user, _ = changed.popitem()
            sessions = registry.local(user)
            if sessions:
                entries[user] = encode_entry(user, sessions.values())
            else:
                entries.pop(user, None)
            count += 1
            if count % STEP == 0:
                yield

    def body(self) -> bytes:
        """The snapshot as it was after the last :meth:`refresh`."""
        return join_snapshot(self._id, self._entries.values())
