"""Cluster: every process as a card, what can be done to it, and what it writes."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QStackedLayout, QWidget

from core.environment import Action, InstanceInfo

from .. import words
from ..context import Context
from ..format import integer
from ..plain import set_tip
from ..widgets.blocks import Card, Elided, button, column, label, row, wrapping
from ..widgets.topology import Topology
from .instance_card import CrowdCard, InstanceCard, PartCard
from .logs import LogCard
from .view import View


class ClusterView(View):
    """Topology above, log beneath."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cards: dict[str, InstanceCard] = {}
        self.parts = {name: PartCard(context, name) for name in ("gateway", "discovery", "broker")}
        for part in self.parts.values():
            part.picked.connect(self._pick)
        self.selected = ""
        self._build_header()
        above = QWidget()
        self._crowd = CrowdCard(context)
        top = row(self._crowd, self.parts["gateway"], self.parts["discovery"], spacing=24)
        for place in range(3):
            top.setStretch(place, 1)
        above.setLayout(top)
        self._topology = Topology(self.theme, above, self.parts["gateway"], self.parts["broker"])
        frame = QWidget()
        inner = column(self._topology, 1, spacing=0)
        frame.setLayout(inner)
        area = QScrollArea()
        area.setWidget(frame)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.log = LogCard(context)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(12)
        self._splitter.addWidget(area)
        self._splitter.addWidget(self.log)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.splitterMoved.connect(self._on_splitter)
        self._moved_by_hand = False
        self._fitted = (0, 0)
        place = QWidget()
        self._stack = QStackedLayout(place)
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(self._splitter)
        self.page.addWidget(place, 1)
        self.session.cluster.members_changed.connect(self._rebuild)
        self.session.cluster.changed.connect(self._on_beat)
        self.session.run.changed.connect(self._on_beat)
        self.retranslate()
        self._rebuild()

    def _build_header(self) -> None:
        self._title = label("heading")
        self._addresses = Elided("muted")
        self.add = button()
        self.add.clicked.connect(lambda: self.session.control("add"))
        self.stop = button()
        self.stop.clicked.connect(self.session.stop_cluster)
        self.page.addLayout(row(self._title, self._addresses, 1, self.add, self.stop, spacing=12))

    def _build_empty(self) -> QWidget:
        card = Card()
        self._empty = wrapping("lead")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._start_demo, self._start_cluster = button("primary"), button()
        self._start_demo.clicked.connect(self.session.start)
        self._start_cluster.clicked.connect(self.session.start_cluster)
        card.body.addStretch(1)
        card.body.addWidget(self._empty)
        card.body.addLayout(row(1, self._start_demo, self._start_cluster, 1))
        card.body.addStretch(1)
        return card

    # ---- actions -------------------------------------------------------------------------

    def kill_selected(self) -> None:
        """Kill the selected instance."""
        if self.selected in self.cards:
            self._act("kill", self.selected)

    def pause_selected(self) -> None:
        """Pause or resume the selected instance."""
        if self.selected in self.cards:
            self.cards[self.selected].toggle_pause()

    def _act(self, action: str, name: str) -> None:
        self.session.control(cast(Action, action), name)

    def _pick(self, name: str) -> None:
        self.selected = name
        self.log.choose(name)
        for card in (*self.cards.values(), *self.parts.values()):
            card.set_selected(card.name == name)

    # ---- texts and states ----------------------------------------------------------------

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._title.setText(self.tr("Local cluster"))
        self.add.setText(self.tr("Add an instance"))
        set_tip(self.add, self.tr("Starts one more process; the gateway finds it (+)"))
        self.stop.setText(self.tr("Stop the cluster"))
        self._empty.setText(self.tr("No cluster is running"))
        self._start_demo.setText(self.tr("Start the demo"))
        self._start_cluster.setText(self.tr("Start a cluster only"))
        self.refresh()

    def refresh(self) -> None:
        """Show every process as it is now."""
        run, cluster = self.session.run, self.session.cluster
        alive = run.cluster_alive or bool(cluster.instances)
        self._stack.setCurrentIndex(1 if alive else 0)
        self._start_demo.setEnabled(run.next_action == "start")
        self.add.setEnabled(run.cluster == "running")
        self.stop.setEnabled(run.cluster in ("starting", "running", "failed") and alive)
        addresses = run.addresses
        self._addresses.setText(
            self.tr("strategy {strategy} · users connect to {url}").format(
                strategy=addresses.strategy, url=addresses.websocket_url
            )
            if addresses is not None
            else ""
        )
        for info in cluster.instances:
            if info.id in self.cards:
                self.cards[info.id].show_info(info)
        self._crowd.refresh()
        broker = addresses.broker if addresses is not None else ""
        for name, card in self.parts.items():
            part = next((item for item in cluster.parts if item.name == name), None)
            card.setVisible(part is not None)
            if part is not None:
                note = words.broker(broker) if name == "broker" and broker else ""
                card.show_part(part, note, self._broker_trouble() if name == "broker" else "")
        self._fit()

    def _broker_trouble(self) -> str:
        """What the instances say of the broker: it may be somebody else's process, that nobody watches."""
        cluster = self.session.cluster
        if not cluster.cut_off:
            return ""
        return self.tr("Out of reach for {n} of {all} instances").format(
            n=integer(len(cluster.cut_off)), all=integer(len(cluster.instances))
        )

    def _on_splitter(self) -> None:
        self._moved_by_hand = True

    def _fit(self) -> None:
        """Give the topology what it needs, up to two thirds, and the log the rest."""
        need = (self._splitter.height(), self._topology.sizeHint().height() + 2)
        if need == self._fitted or self._moved_by_hand or not self.isVisible():
            return
        self._fitted = need
        upper = min(need[1], round(need[0] * 0.66))
        self._splitter.setSizes([upper, need[0] - upper])

    def _rebuild(self) -> None:
        instances: tuple[InstanceInfo, ...] = self.session.cluster.instances
        wanted = [info.id for info in instances]
        for name in [name for name in self.cards if name not in wanted]:
            self.cards.pop(name).deleteLater()
        for name in wanted:
            if name not in self.cards:
                card = InstanceCard(self.context, name)
                card.acted.connect(self._act)
                card.picked.connect(self._pick)
                self.cards[name] = card
        self._topology.set_cards([self.cards[name] for name in wanted])
        self.refresh()
