"""The time that a job has, without IO."""

import signal

from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.shell.options import ShellOptions, SignalOptions
from support.exec_job import World, running


def test_its_time() -> None:
    world = World()
    job = running(world, starttime=9.9, expiration=110.0)
    assert world.timers == {"expiration": 100.0}
    job.set_expiration(20.0, 60.0)
    assert world.timers == {"expiration": 40.0}
    job.set_expiration(20.0, 10.0)
    assert world.timers == {"expiration": 0.0}
    job.set_expiration(20.0, 0.0)
    assert world.timers == {}
    job.expired("expiration", 30.0)
    assert world.said("exception")[0]["type"] == "timeout"
    assert world.signals == [signal.SIGALRM]


def test_a_job_that_starts_late_gets_the_time_back() -> None:
    world = World()
    running(world, starttime=4.0, expiration=14.0)  # 6 of its 10 seconds
    assert world.timers == {"expiration": 10.0}
    policy = ExecOptions(max_start_delay_percent=70.0)
    running(world, starttime=4.0, expiration=14.0, policy=policy)
    assert world.timers == {"expiration": 4.0}


def test_a_signal_comes_before_its_time_is_over() -> None:
    world = World()
    options = ShellOptions(signal=SignalOptions(signal.SIGUSR2, 30.0))
    job = running(world, starttime=10.0, expiration=110.0, options=options)
    assert world.timers == {"expiration": 100.0, "signal": 70.0}
    job.expired("signal", 80.0)
    assert world.signals == [signal.SIGUSR2]
