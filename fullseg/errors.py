"""Mistakes that a message explains without a traceback: each names the file or option, the value and the remedy."""


class DataError(ValueError):
    """Bad data: the message names the file, what is wrong with it, and the remedy."""


class WeightsError(RuntimeError):
    """ImageNet weights that can't be had; the message says what to do."""


class CheckpointError(ValueError):
    """A checkpoint can't be read or written; the message names it."""


class ConfigError(ValueError):
    """A wrong option: the message names the file, the option, the value and the remedy."""
