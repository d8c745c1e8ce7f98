"""Keeps the users of our own instances in step: deltas, acknowledgements, full states.

No network and no clock of its own: messages go out through ``publish``, come in through
:meth:`PeerSync.receive`, and time is an argument.

What it promises: once :meth:`when_known` calls back, every live peer has applied the version it
was asked for (or the wait was over), so that a push accepted by any of them finds the session.
Changes are numbered; who sees a gap asks for the full state.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from core.errors import BrokerUnavailable

from ..messages.counters import Counters
from ..settings.instance import InstanceSettings
from .own_changes import OwnChanges
from .peer_messages import (
    Ack,
    Alive,
    Bye,
    Delta,
    Hello,
    PeerMessage,
    State,
    Want,
    decode_peer_message,
    encode_peer_message,
)
from .peer_states import Incoming, StateSender
from .peer_waits import StateWaits, VersionWaits
from .registry import RemotePeer, UserRegistry
from .slices import Slicer

logger = logging.getLogger("pushscope.server.peers")

#: How often an instance says that it is alive.
ALIVE_EVERY_S: Final = 0.5
#: After how much silence a peer is suspect: its sessions may be stale.
SUSPECT_AFTER_S: Final = 1.5
#: After how much silence a peer is forgotten, whatever discovery says.
FORGET_AFTER_S: Final = 5.0
#: Deltas that wait for the rest of a state.
_MOST_WAITING: Final = 1_000
#: How long the next part of a state is waited for.
_NEXT_PART_S: Final = 1.0
#: How long what a dropped peer sent before is ignored.
_GONE_S: Final = 1.0
#: A state is asked for again after so long.
_WANT_AGAIN_S: Final = 0.2
#: How long we listen for peers at the start where there is no discovery.
_LISTEN_S: Final = 0.15
_ANYBODY: Final = "anybody"
#: How long we wait for the peers' states when we have been away.
_CATCH_UP_S: Final = 1.0

Publish = Callable[[str, bytes], None]


class PeerSync:
    """One instance's side of it.

    Args:
        settings: Id and destinations.
        registry: Filled with what the peers say.
        publish: Sends a body to a destination; raises BrokerUnavailable.
        later: ``later(seconds, callback)``, the loop's ``call_later``.
        clock: The loop's clock.
        counters: Counts what is received.
        slicer: Does what is long in slices.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        publish: Publish,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
        counters: Counters,
        slicer: Slicer,
    ) -> None:
        self.epoch = secrets.token_hex(6)
        self.peers: dict[str, RemotePeer] = {}
        self._settings = settings
        self._registry = registry
        self._publish = publish
        self._later = later
        self._clock = clock
        self._counters = counters
        #: Called with users whose instance is about to stop.
        self.on_leaving: Callable[[Iterable[str]], None] = _unheard
        #: What our own users did.
        self.changes = OwnChanges(settings, self.epoch, self, later)
        self._sender = StateSender(settings, self.epoch, registry, slicer, self._begin_state, self._send)
        self._incoming: dict[str, Incoming] = {}
        self._versions = VersionWaits()
        self._states = StateWaits()
        self._gone: dict[str, float] = {}
        self._listed: frozenset[str] = frozenset()
        self._alive_at = 0.0
        self._ticked_at = clock()

    def when_known(self, seq: int, call: Callable[[], None]) -> None:
        """Call back once all live peers have our version ``seq``, or the wait is over."""
        if self.up_to_date(seq):
            call()
        else:
            deadline = self._clock() + self._settings.receipt_wait_s
            self._versions.add(seq, deadline, call)

    # being there ----------------------------------------------------------------------------

    def announce(self) -> None:
        """The broker is (again) there: tell everybody who we are, and ask for their users."""
        self._incoming.clear()
        seq = self.changes.begin_anew()
        now = self._clock()
        self._alive_at = now
        self._send(self._settings.peers_destination, Hello(self._settings.id, self.epoch, seq))
        # Peers that know us take our users from State; new ones ask for it.
        for peer in self.peers.values():
            self._sender.send(peer.epoch)
        # Their pictures of us and ours of them may be old: wait for all, known and listed.
        self._states.begin({*self.peers, *self._untold(self._listed)}, now + _CATCH_UP_S)

    def leave(self, call: Callable[[], None]) -> None:
        """Tell that we are about to stop, and call back once all live peers know (or the wait is over).

        Whatever they sent to our users before is here by then, where the broker keeps the order.
        """
        self.when_known(self.changes.leave(), call)

    def goodbye(self) -> None:
        """We are leaving."""
        self._send(self._settings.peers_destination, Bye(self._settings.id, self.epoch))

    def expect(self, ids: frozenset[str]) -> None:
        """Before :attr:`in_step`, wait for the states of these instances too."""
        self._states.add(self._untold(ids), self._clock() + _CATCH_UP_S)

    def listen(self) -> None:
        """Before :attr:`in_step`, give peers of whom nobody has told us time to speak up."""
        self._states.add((_ANYBODY,), self._clock() + _CATCH_UP_S)
        self._later(_LISTEN_S, self._heard_enough)

    def _heard_enough(self) -> None:
        # Who has spoken up is waited for until its state has come.
        silent = [peer.epoch for peer in self.peers.values() if peer.seq < 0]
        self._states.add(silent, self._clock() + _CATCH_UP_S)
        self._states.told(_ANYBODY)

    def _untold(self, ids: frozenset[str]) -> set[str]:
        """Which of these instances have not told us their users."""
        told = {peer.id for peer in self.peers.values() if peer.seq >= 0}
        return {_named(id) for id in ids - told - {self._settings.id}}

    def in_step(self, now: float) -> bool:
        """Whether our picture of the peers' users can be trusted.

        It cannot when we have just been stopped for a while (a paused process, a machine that
        slept), until the peers have told us what we missed.
        """
        return self._states.over and now - self._ticked_at < SUSPECT_AFTER_S

    def when_in_step(self, call: Callable[[], None]) -> None:
        """Call back once all awaited peers have told their users, or the wait is over."""
        self._states.when_over(call)

    def listed(self, ids: frozenset[str]) -> None:
        """Discovery says who is there: whoever it has dropped is gone, now."""
        self._listed = ids
        for peer in list(self.peers.values()):
            if peer.id in ids:
                peer.listed = True
            elif peer.listed:
                self._drop(peer, "discovery dropped it", lapsed=True)

    def tick(self) -> None:
        """To be called several times a second."""
        now = self._clock()
        away = now - self._ticked_at
        self._ticked_at = now
        if away > SUSPECT_AFTER_S:
            logger.warning("stood still for %.1f s: asking the peers for what was missed", away)
            for peer in self.peers.values():
                peer.heard_at = now  # it is we who were away
            self.announce()
        for peer in list(self.peers.values()):
            silent = now - peer.heard_at
            peer.suspect = silent > SUSPECT_AFTER_S
            if silent > FORGET_AFTER_S:
                self._drop(peer, f"silent for {silent:.1f} s", lapsed=True)
        if now - self._alive_at >= ALIVE_EVERY_S:
            self._alive_at = now
            self._send(
                self._settings.peers_destination, Alive(self._settings.id, self.epoch, self.changes.seq)
            )
        self._states.expire(now)
        self._release(now)

    # what peers say -------------------------------------------------------------------------

    def receive(self, body: bytes) -> None:
        """A message on one of our destinations."""
        try:
            message = decode_peer_message(body)
        except (ValueError, RecursionError) as error:
            logger.warning("a message of the registry is not understood: %s", error)
            return
        if message.epoch == self.epoch:
            return  # our own echo
        self._counters.registry_messages += 1
        peer = self._speaker(message)
        if peer is None:
            return
        match message:
            case Delta():
                self._apply_delta(peer, message)
            case Ack():
                peer.acked = max(peer.acked, message.seq)
                self._release(self._clock())
                if self.up_to_date(self.changes.seq):
                    self.changes.flush()
            case State():
                self._apply_state(peer, message)
            case Alive():
                if message.seq != peer.seq:
                    self._want(peer)
            case _:
                self._meet(peer, message)

    def _meet(self, peer: RemotePeer, message: Hello | Want | Bye) -> None:
        match message:
            case Hello():
                self._sender.send(message.epoch)
                if message.seq != peer.seq:
                    self._want(peer)
            case Want():
                self._sender.send(message.epoch)
            case Bye():
                self._drop(peer, "it said goodbye")

    def _speaker(self, message: PeerMessage) -> RemotePeer | None:
        """Who says that; None if it is the last echo of somebody who has gone."""
        now = self._clock()
        peer = self.peers.get(message.epoch)
        if peer is None:
            gone = self._gone.pop(message.epoch, 0.0)
            if isinstance(message, Bye) or (now < gone and not isinstance(message, Hello)):
                self._gone[message.epoch] = gone
                return None
            for other in list(self.peers.values()):
                if other.id == message.id:
                    self._drop(other, "it was started anew")
            peer = self.peers[message.epoch] = RemotePeer(message.id, message.epoch, now=now)
            peer.listed = message.id in self._listed
            logger.info("peer %s (%s) is here", peer.id, peer.epoch)
        peer.heard_at = now
        peer.suspect = False
        return peer

    def _want(self, peer: RemotePeer) -> None:
        """Ask for the full state, unless we have just asked or it is on its way."""
        now = self._clock()
        incoming = self._incoming.get(peer.epoch)
        if incoming is not None and now - incoming.heard_at < _NEXT_PART_S:
            return
        if now >= peer.want_again_at:
            peer.want_again_at = now + _WANT_AGAIN_S
            self._send(self._to(peer), Want(self._settings.id, self.epoch))

    def _apply_delta(self, peer: RemotePeer, delta: Delta) -> None:
        incoming = self._incoming.get(peer.epoch)
        if incoming is not None and delta.seq > incoming.seq:
            if len(incoming.later) < _MOST_WAITING:  # else the gap will be seen
                incoming.later.append(delta)
            return
        if delta.seq > peer.seq + 1 or peer.seq < 0:
            self._want(peer)
            return
        if delta.seq == peer.seq + 1:
            self._apply_changes(peer, delta)
        self._send(self._to(peer), Ack(self._settings.id, self.epoch, peer.seq))

    def _apply_changes(self, peer: RemotePeer, delta: Delta) -> None:
        registry = self._registry
        for session_id in delta.leave:
            registry.remove_remote(peer, session_id)
        for session_id, user in delta.join:
            registry.add_remote(peer, session_id, user)
        for session_id, subscriptions in delta.subs.items():
            user = peer.sessions.get(session_id)
            if user is not None:
                registry.add_remote(peer, session_id, user, subscriptions)
        if delta.leaving:
            self._note_leaving(peer)
        elif peer.leaving and delta.join:
            self.on_leaving([user for _, user in delta.join])
        peer.seq = delta.seq
        peer.told_at = self._clock()

    def _note_leaving(self, peer: RemotePeer) -> None:
        peer.leaving = True
        self.on_leaving(peer.sessions.values())

    def _apply_state(self, peer: RemotePeer, state: State) -> None:
        now = self._clock()
        if state.part == 0 and state.seq >= peer.seq:
            self._incoming[peer.epoch] = Incoming(state.seq)
        incoming = self._incoming.get(peer.epoch)
        if incoming is not None and (incoming.seq, incoming.part) == (state.seq, state.part):
            if not incoming.apply(self._registry, peer, state, now):
                return
            del self._incoming[peer.epoch]
            if state.leaving:
                self._note_leaving(peer)
            for delta in incoming.later:
                self._apply_delta(peer, delta)
        elif state.seq > peer.seq:  # a part was lost
            self._incoming.pop(peer.epoch, None)
            self._want(peer)
            return
        self._send(self._to(peer), Ack(self._settings.id, self.epoch, peer.seq))
        self._states.told(peer.epoch, _named(peer.id))

    def _drop(self, peer: RemotePeer, why: str, *, lapsed: bool = False) -> None:
        logger.info(
            "peer %s (%s) is gone: %s; it had %d sessions", peer.id, peer.epoch, why, len(peer.sessions)
        )
        self._registry.clear_remote(peer, lapsed=lapsed)
        self.peers.pop(peer.epoch, None)
        self._incoming.pop(peer.epoch, None)
        now = self._clock()
        self._gone = {epoch: until for epoch, until in self._gone.items() if until > now}
        self._gone[peer.epoch] = now + _GONE_S
        self._states.told(peer.epoch, _named(peer.id))
        self._release(now)

    # sending --------------------------------------------------------------------------------

    def _to(self, peer: RemotePeer) -> str:
        return self._settings.peer_destination(peer.epoch)

    def _send(self, destination: str, message: PeerMessage) -> None:
        try:
            self._publish(destination, encode_peer_message(message))
        except BrokerUnavailable:
            logger.debug("%s not sent, the broker is away", type(message).__name__)

    def _begin_state(self) -> tuple[int, bool]:
        # What waits to be told is in the state already: it becomes the version that says so.
        self.changes.flush()
        return self.changes.seq, self.changes.leaving

    def tell(self, delta: Delta) -> None:
        """Publish a version of our own users."""
        self._send(self._settings.peers_destination, delta)
        self._release(self._clock())

    # acknowledgements -----------------------------------------------------------------------

    def _acked(self) -> int:
        """The version that all live peers have; without any, whatever was published."""
        return min((peer.acked for peer in self.peers.values() if not peer.suspect), default=self.changes.seq)

    def up_to_date(self, seq: int) -> bool:
        """Whether all live peers have our version ``seq``."""
        return seq <= self._acked()

    def _release(self, now: float) -> None:
        self._versions.release(self._acked(), now)


def _named(id: str) -> str:
    """How an instance is waited for whose epoch is not known."""
    return f"id:{id}"


def _unheard(users: Iterable[str]) -> None:
    """Nobody wants to know."""
