"""Attaching to a job, told to the class without IO event by event."""

import errno

import pytest

from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.attach_effects import Settings
from fluxcore.cli.job.attachment import EXEC_LOG, JOB_LOG, OUTPUT_LOG, Attachment
from fluxcore.job.eventlog import Event
from fluxcore.job.output import Log, encode_data, encode_header, encode_log, encode_redirect
from fluxcore.resource.idset import IdSet


class Effects:
    """Writes down what is asked for."""

    def __init__(self):
        self.stdout = b""
        self.stderr = ""
        self.watched = []
        self.unwatched = []
        self.sent = []
        self.reading = False
        self.killed = []
        self.cancelled = []

    def write(self, stream, data):
        if stream == "stdout":
            self.stdout += data
        else:
            self.stderr += data.decode()

    def watch(self, log):
        self.watched.append(log)

    def unwatch(self, log):
        self.unwatched.append(log)

    def send_input(self, service, rank, payload):
        self.sent.append((service, rank, dict(payload)))

    def read_input(self, reading):
        self.reading = reading

    def kill(self, signum):
        self.killed.append(signum)

    def cancel(self, note):
        self.cancelled.append(note)


class Job:
    """An attachment, and the events of its job."""

    def __init__(self, **settings):
        self.did = Effects()
        self.attachment = Attachment("ƒX", Settings(**settings), self.did)
        self.attachment.begin()
        self.time = 100.0

    def job(self, name, **context):
        self.attachment.event(JOB_LOG, Event(self.time, name, context or None))

    def exec(self, name, **context):
        self.attachment.event(EXEC_LOG, Event(self.time, name, context or None))

    def output(self, name, context):
        self.attachment.event(OUTPUT_LOG, Event(self.time, name, context))

    def end(self, log, errnum=errno.ENODATA, text=""):
        self.attachment.end(log, OSError(errnum, text))

    def start(self, ntasks=2):
        """Up to the start of its tasks."""
        self.job("submit", userid=0)
        self.time += 0.25
        self.exec("shell.init", service="0-shell-fX", **{"leader-rank": 3}, size=1)
        self.output("header", encode_header(ntasks))
        self.exec("shell.start", taskmap={"version": 1, "map": [[0, 1, ntasks, 1]]})

    def finish(self, status=0):
        """From the end of its tasks on."""
        self.exec("complete", status=status)
        self.end(EXEC_LOG)
        self.end(OUTPUT_LOG)
        self.job("finish", status=status)
        self.job("clean")


def data(stream, text, rank="0"):
    return encode_data(stream, rank, text.encode())


def test_a_job_is_followed_from_its_submission_to_its_end():
    job = Job()
    assert job.did.watched == [JOB_LOG]
    job.start()
    assert job.did.watched == [JOB_LOG, EXEC_LOG, OUTPUT_LOG]
    job.output("data", data("stdout", "hello\n"))
    job.output("data", data("stderr", "oops\n"))
    assert not job.attachment.over
    job.finish()
    assert job.attachment.over
    assert job.attachment.exit_code == 0
    assert (job.did.stdout, job.did.stderr) == (b"hello\n", "oops\n")
    assert job.did.unwatched == [JOB_LOG]


def test_output_may_be_labelled_and_need_not_be_text():
    job = Job(label=True)
    job.start()
    job.output("data", encode_data("stdout", "1", b"a\xffb\n"))
    assert job.did.stdout == b"1: a\xffb\n"


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (0, 0, ""),
        (3 << 8, 3, "flux-job: task(s) exited with exit code 3\n"),
        ((128 + 14) << 8, 142, "flux-job: task(s) Alarm clock\n"),
        (9, 137, "flux-job: job shell Killed\n"),
    ],
)
def test_the_exit_code_is_the_jobs(status, code, text):
    job = Job()
    job.start()
    job.finish(status)
    assert (job.attachment.exit_code, job.did.stderr) == (code, text)


def test_an_exception_is_told_and_no_success():
    job = Job()
    job.start()
    job.did.reading = True
    job.time = 101.5
    job.job("exception", type="cancel", severity=0, note="enough")
    assert job.did.stderr == "1.500s: job.exception ƒX type=cancel severity=0 enough\n"
    assert not job.did.reading
    job.finish(0)
    assert job.attachment.exit_code == 1


def test_a_warning_changes_nothing():
    job = Job()
    job.start()
    job.job("exception", type="x", severity=2, note="careful")
    assert job.did.reading
    job.finish(0)
    assert job.attachment.exit_code == 0


def test_a_job_that_never_ran_has_no_output():
    job = Job()
    job.job("submit")
    job.job("exception", type="alloc", severity=0, note="unsatisfiable")
    job.end(EXEC_LOG)
    job.job("clean")
    assert job.attachment.over
    assert job.attachment.exit_code == 1
    assert job.did.watched == [JOB_LOG, EXEC_LOG]


def test_output_of_a_shell_that_failed_early_is_looked_for_at_the_end():
    job = Job()
    job.job("submit")
    job.exec("complete", status=256)
    assert job.did.watched == [JOB_LOG, EXEC_LOG, OUTPUT_LOG]
    job.end(OUTPUT_LOG, errno.ENOENT)
    assert job.did.stderr == "flux-job: No job output found\n"


@pytest.mark.parametrize(
    ("log", "errnum", "text"),
    [
        (JOB_LOG, errno.ENOENT, "Failed to attach to ƒX: No such job"),
        (JOB_LOG, errno.EPERM, "Failed to attach to ƒX: that is not your job"),
        (JOB_LOG, errno.ENOSYS, "flux_job_event_watch_get: broken"),
        (EXEC_LOG, errno.EIO, "flux_job_event_watch_get: broken"),
    ],
)
def test_a_log_that_cannot_be_read_ends_it(log, errnum, text):
    job = Job()
    job.job("submit")
    with pytest.raises(CommandError) as caught:
        job.end(log, errnum, "broken")
    assert caught.value.text == text


def test_it_may_end_with_another_event():
    job = Job(wait_event="start")
    job.start()
    job.job("start")
    assert job.did.unwatched == [JOB_LOG]
    job.end(EXEC_LOG)
    job.end(OUTPUT_LOG)
    assert job.attachment.over
    assert job.attachment.exit_code == 1


# -- what is told ---------------------------------------------------------------------------


def test_events_are_shown_when_asked_for():
    job = Job(show_events=True, show_exec=True)
    job.job("submit", userid=0, note="ƒ")
    job.time = 101.25
    job.job("start")
    job.exec("starting")
    job.exec("log", rank="0", component="flux-shell", stream="stderr", data="no\n")
    assert job.did.stderr == (
        '0.000s: job.submit {"userid":0,"note":"ƒ"}\n'
        "1.250s: job.start\n"
        "1.250s: exec.starting\n"
        "1.250s: flux-shell[0]: stderr: no\n"
    )


def test_messages_of_the_shell_are_shown_by_level():
    job = Job(verbose=True)
    job.start()
    job.output("log", encode_log(Log(3, "no pmi", rank=1, component="pmi", file="pmi.c", line=7)))
    job.output("log", encode_log(Log(5, "by the way")))
    job.output("redirect", encode_redirect("stdout", "0-1", "out.txt"))
    assert job.did.stderr == (
        "0.250s: flux-shell[1]: ERROR: pmi: pmi.c:7: no pmi\n"
        "0.250s: flux-shell: by the way\n"
        "0-1: stdout redirected to out.txt\n"
    )


def test_quiet_leaves_out_what_flux_has_to_say():
    job = Job(quiet=True)
    job.start()
    job.output("log", encode_log(Log(3, "no pmi")))
    job.output("redirect", encode_redirect("stdout", "0", "out.txt"))
    job.exec("log", rank="0", component="flux-shell", stream="stderr", data="no\n")
    assert job.did.stderr == "no\n"


def test_output_that_makes_no_sense_ends_it():
    job = Job()
    job.start()
    with pytest.raises(CommandError, match="malformed event context"):
        job.output("data", {"stream": "stdout"})


def test_only_the_last_lines_are_shown_when_asked_for():
    job = Job(tail=2)
    job.start()
    for text in ("a\n", "b\n", "c\n"):
        job.output("data", data("stdout", text))
    job.output("data", {"stream": "stdout", "rank": "0", "eof": True})
    assert job.did.stdout == b""
    job.attachment.caught_up()
    job.output("data", data("stdout", "new\n"))
    assert job.did.stdout == b"b\nc\nnew\n"


def test_the_last_lines_of_a_job_that_is_over_are_shown_at_the_end():
    job = Job(tail=1)
    job.start()
    job.output("data", data("stdout", "a\n"))
    job.finish()
    assert job.did.stdout == b"a\n"


# -- input ----------------------------------------------------------------------------------

SHELL = ("0-shell-fX", 3)


def test_input_goes_to_the_shell_until_it_ends():
    job = Job()
    job.start()
    assert job.did.reading
    job.attachment.input(b"hello")
    job.attachment.input(b"")
    assert job.did.sent == [
        (*SHELL, {"stream": "stdin", "rank": "all", "data": "hello"}),
        (*SHELL, {"stream": "stdin", "rank": "all", "eof": True}),
    ]
    assert not job.did.reading


def test_input_may_go_to_some_tasks_while_the_others_get_none():
    job = Job(input_ranks=IdSet.decode("1-9"))
    job.start(ntasks=3)
    assert job.did.sent == [(*SHELL, {"stream": "stdin", "rank": "0", "eof": True})]
    assert job.did.stderr == "flux-job: warning: adjusting --stdin-ranks from 1-9 to 1-2\n"
    job.attachment.input(b"x")
    assert job.did.sent[1:] == [(*SHELL, {"stream": "stdin", "rank": "1-2", "data": "x"})]


def test_read_only_means_no_input():
    job = Job(read_only=True)
    job.start()
    assert not job.did.reading


def test_only_input_that_is_lost_is_worth_a_word():
    job = Job()
    job.start()
    refused = OSError(errno.ENOSYS, "No service matching 0-shell-fX.stdin is registered")
    job.attachment.input(b"")
    job.attachment.input_refused(refused)
    job.attachment.input(b"x")
    with pytest.raises(CommandError, match="stdin not accepted by job"):
        job.attachment.input_refused(refused)
    with pytest.raises(CommandError, match="attach_send_shell: Broken pipe"):
        job.attachment.input_refused(OSError(errno.EPIPE, "whatever"))


# -- signals --------------------------------------------------------------------------------

_HINT = "flux-job: one more ctrl-C within 2s to cancel or ctrl-Z to detach\n"


def test_two_interrupts_within_two_seconds_cancel_the_job():
    job = Job()
    job.start()
    job.attachment.interrupt(10.0)
    job.attachment.interrupt(12.5)
    assert (job.did.cancelled, job.did.stderr) == ([], _HINT * 2)
    job.attachment.interrupt(14.0)
    assert job.did.cancelled == ["interrupted by ctrl-C"]


def test_an_interrupt_that_comes_twice_at_once_is_one():
    job = Job()
    job.start()
    job.attachment.interrupt(10.0)
    job.attachment.interrupt(10.001)
    assert (job.did.cancelled, job.did.stderr) == ([], _HINT)
    job.attachment.interrupt(10.2)
    assert job.did.cancelled == ["interrupted by ctrl-C"]


def test_an_interrupt_and_a_suspend_leave_the_job_alone():
    job = Job()
    job.start()
    job.attachment.interrupt(10.0)
    assert job.attachment.suspend(11.0)
    assert sorted(job.did.unwatched) == sorted([JOB_LOG, EXEC_LOG, OUTPUT_LOG])
    for log in (JOB_LOG, EXEC_LOG, OUTPUT_LOG):
        job.end(log)
    assert job.attachment.over
    assert job.did.cancelled == []
    assert job.did.stderr == _HINT + "flux-job: detaching...\n"


def test_a_suspend_that_comes_late_is_announced():
    job = Job()
    job.start()
    job.attachment.interrupt(10.0)
    assert not job.attachment.suspend(13.0)
    assert job.did.stderr == _HINT + "flux-job: one more ctrl-Z to suspend\n"
