"""sched-simple: jobs by priority, the first that does not fit stops the rest (CONTRACTS E1)."""

from fluxcore.modules.sched_simple.module import SchedSimple

__all__ = ["SchedSimple"]
