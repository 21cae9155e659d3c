"""Sweeps: the files of W&B sweeps, whose cells run on this machine."""
