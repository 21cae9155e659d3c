"""Makes a run again and finds every difference."""
