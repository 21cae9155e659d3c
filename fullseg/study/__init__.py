"""The study that compares free with per-region allocation of scribbles (paper, Sec. 5.3)."""
