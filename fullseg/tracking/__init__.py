"""What a run logs: metrics.csv, W&B runs, artifacts, the dashboard."""
