"""job-list: the jobs of the instance, listed and counted (CONTRACTS D12)."""

from fluxcore.modules.job_list.module import JobList

__all__ = ["JobList"]
