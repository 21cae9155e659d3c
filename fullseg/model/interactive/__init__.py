"""Predictions for one image whose annotations change: only what a change reaches is computed again."""
