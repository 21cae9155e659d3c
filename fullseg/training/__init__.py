"""Training: Lightning and W&B."""
