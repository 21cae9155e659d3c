"""Runs: their folders, provenance and checkpoints, their processes, and how they stop and go on."""
