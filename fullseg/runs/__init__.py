"""Run folders: where they are, what made them, their checkpoints, how training stops and goes on."""
