"""A run made again, and every difference from it."""
