"""job-ingest: where jobs are submitted (RFC 39, 14, 16, CONTRACTS D2)."""

from fluxcore.modules.job_ingest.module import JobIngest

__all__ = ["JobIngest"]
