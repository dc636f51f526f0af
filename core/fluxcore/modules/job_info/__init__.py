"""job-info: what the KVS knows of a job, for whoever may see it (CONTRACTS D11)."""

from fluxcore.modules.job_info.module import JobInfoService

__all__ = ["JobInfoService"]
