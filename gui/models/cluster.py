"""The cluster: its processes as they are now, and the last lines each of them wrote."""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

from PySide6.QtCore import QObject, Signal

from core.cleaning import clean_line
from core.environment import InstanceInfo, LogLine, Part

#: Lines kept per process.
MAX_LINES = 2000

#: The log of all processes together, each line with its source in front.
ALL = "*"


class ClusterModel(QObject):
    """Instances and parts by name; ``changed`` on any change, ``logged`` with the source."""

    changed = Signal()
    members_changed = Signal()
    logged = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._indexes: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, as before a new cluster; instances keep their colours."""
        self.instances: tuple[InstanceInfo, ...] = ()
        self.parts: tuple[Part, ...] = ()
        self.logs: dict[str, deque[str]] = {}
        self.members_changed.emit()
        self.changed.emit()

    def apply(self, instances: tuple[InstanceInfo, ...], parts: tuple[Part, ...]) -> None:
        """Take over the processes of a snapshot."""
        if instances == self.instances and parts == self.parts:
            return
        before = self._names()
        self.instances, self.parts = instances, parts
        for instance in instances:
            self.index(instance.id)
        if self._names() != before:
            self.members_changed.emit()
        self.changed.emit()

    def apply_lines(self, lines: list[LogLine]) -> None:
        """Take over log lines, in order."""
        by_source: dict[str, list[str]] = {}
        for line in lines:  # by source, and all together in the order they came
            text = clean_line(line.text)
            by_source.setdefault(line.source, []).append(text)
            by_source.setdefault(ALL, []).append(f"{clean_line(line.source):<10} {text}")
        for source, texts in by_source.items():
            self.logs.setdefault(source, deque(maxlen=MAX_LINES)).extend(texts)
            self.logged.emit(source, texts)

    def index(self, instance: str) -> int:
        """The colour index of an instance, the same for as long as the window lives."""
        if instance not in self._indexes:
            number = instance.removeprefix("i")
            wish = int(number) - 1 if number.isdigit() else len(self._indexes)
            self._indexes[instance] = max(0, wish)
        return self._indexes[instance]

    def find(self, instance: str) -> InstanceInfo | None:
        """The instance of this id, or None."""
        return next((item for item in self.instances if item.id == instance), None)

    @property
    def ready_count(self) -> int:
        """How many instances answer."""
        return sum(item.state == "ready" for item in self.instances)

    @property
    def cut_off(self) -> tuple[InstanceInfo, ...]:
        """The instances that answer, but have no connection to the broker."""
        return tuple(item for item in self.instances if item.cut_off)

    def sources(self) -> list[str]:
        """Everything that has or may have a log, in the order of the topology."""
        names = [part.name for part in self.parts] + [item.id for item in self.instances]
        return names + [name for name in self.logs if name not in names and name != ALL]

    def _names(self) -> list[str]:
        return [part.name for part in self.parts] + [item.id for item in self.instances]


def port_of(url: str) -> int | None:
    """The port in an address, or None."""
    try:
        return urlsplit(url).port
    except ValueError:
        return None
