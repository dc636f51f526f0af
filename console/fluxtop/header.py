"""The line at the top: what is known of the instance and of the connection to it."""

from collections import deque
from dataclasses import replace

from fluxtop.data.connection import Connection
from fluxtop.data.instance import Instance, InstanceMessage, Pulse, State
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.present.header import HeaderFacts, left, right
from fluxtop.widgets.bar import Bar


class Header(Bar):
    """Keeps the facts and shows them as they are at the time of :meth:`draw`."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(glyphs=desk.glyphs, id="header")
        self._desk = desk
        self.facts = HeaderFacts(
            desk.source.connection, embedded=desk.embedded, read_only=desk.read_only
        )
        #: The last few round trips. The shortest is shown: the others tell how busy we are.
        self._latencies: deque[float] = deque(maxlen=5)

    def take_connection(self, connection: Connection) -> None:
        """The connection is another one."""
        self.facts = replace(self.facts, connection=connection)

    def forget_instance(self) -> None:
        """What was said is of another instance; ours, if we had one, is not what is shown."""
        self.facts = replace(
            self.facts, instance=None, state=None, beat=None, trouble=None, embedded=False
        )
        self._latencies.clear()

    def take(self, message: InstanceMessage | Trouble) -> None:
        """The instance says something of itself, or does not answer."""
        facts = replace(self.facts, trouble=None)
        match message:
            case Instance():
                facts = replace(facts, instance=message)
            case State():
                self._latencies.append(message.latency)
                facts = replace(facts, state=replace(message, latency=min(self._latencies)))
            case Pulse():
                facts = replace(facts, beat=self._desk.clock())
            case Trouble():
                facts = replace(facts, trouble=message)
        self.facts = facts

    def draw(self) -> None:
        """Show what is true now."""
        now, glyphs = self._desk.clock(), self._desk.glyphs
        self.show(left(self.facts, now, glyphs), right(self.facts, now, glyphs))
