"""Questions and answers that lie over the dashboard."""
