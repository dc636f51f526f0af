"""The shell of a job on one node, by chance."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fluxcore.job.output import decode_data
from support.shell_port import make


class ShellMachine(RuleBasedStateMachine):
    """Anything may happen to tasks in any order that processes allow."""

    @initialize(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self.shell, self.port = make(tasks=count)
        self.waiting = set(range(count))
        self.running: set[int] = set()
        self.ended: set[int] = set()
        self.open = {(index, name) for index in range(count) for name in ("stdout", "stderr")}
        self.written: dict[int, bytes] = dict.fromkeys(range(count), b"")
        self.codes: list[int] = []
        self.failed = False

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.discard(index)
        self.running.add(index)
        self.shell.started(index, 100 + index)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.discard(index)
        self.open -= {(index, "stdout"), (index, "stderr")}
        self.failed = True
        self.shell.start_failed(index, 2, "prog")

    @precondition(lambda self: self.running)
    @rule(data=st.data(), code=st.integers(0, 3))
    def exit(self, data: st.DataObject, code: int) -> None:
        index = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(index)
        self.ended.add(index)
        if not self.failed:
            self.codes.append(code)
        self.shell.exited(index, code << 8)

    @precondition(lambda self: self.running | self.ended)
    @rule(data=st.data(), text=st.binary(min_size=1, max_size=5))
    def write(self, data: st.DataObject, text: bytes) -> None:
        index = data.draw(st.sampled_from(sorted(self.running | self.ended)))
        if (index, "stdout") in self.open:
            self.written[index] += text
            self.shell.output(index, "stdout", text)

    @precondition(lambda self: self.running | self.ended)
    @rule(data=st.data(), stream=st.sampled_from(["stdout", "stderr"]))
    def close(self, data: st.DataObject, stream: str) -> None:
        index = data.draw(st.sampled_from(sorted(self.running | self.ended)))
        if (index, stream) in self.open:
            self.open.discard((index, stream))
            self.shell.output(index, stream, b"")

    @rule()
    def signal(self) -> None:
        self.port.killed.clear()
        self.shell.signal(15)
        assert self.port.killed == [(index, 15) for index in sorted(self.running)]

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "shell"):
            return
        self.shell.validate_state()
        over = not self.waiting and not self.running and not self.open
        assert (self.port.status is not None) == over
        if over:
            code = 127 if self.failed else max(self.codes, default=0)
            assert self.port.status == code << 8
            for index, text in self.written.items():
                contexts = [
                    context
                    for what in self.port.of("output")
                    for context in what["data"]
                    if context["rank"] == str(index) and context["stream"] == "stdout"
                ]
                assert b"".join(decode_data(context).data for context in contexts) == text
        assert bool(self.port.of("started")) == (not self.waiting and not self.failed)


TestShellMachine = ShellMachine.TestCase
TestShellMachine.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
