"""job-exec: the execution service, and the shells of jobs (RFC 32, CONTRACTS D20, D21)."""

from fluxcore.modules.job_exec.module import JobExec

__all__ = ["JobExec"]
