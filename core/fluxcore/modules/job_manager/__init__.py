"""job-manager: the life of all jobs (RFC 21, 27, 32, CONTRACTS D4-D10)."""

from fluxcore.modules.job_manager.module import JobManager

__all__ = ["JobManager"]
