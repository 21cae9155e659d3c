"""Sweeps: the cells of a W&B sweep file, run on this machine."""
