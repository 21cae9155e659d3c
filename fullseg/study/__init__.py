"""The study of free against per-region allocation (paper, Sec. 5.3)."""
