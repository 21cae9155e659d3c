"""Mistakes of the user: the message names the file or the option, the value and the remedy, and says all.

The command line prints the message alone. Every other exception is a fault of fullseg and keeps its traceback.
"""


class UserError(Exception):
    """A mistake that its message explains; raise one of the kinds below."""


class ConfigError(UserError, ValueError):
    """A wrong option of an experiment, a sweep or the command line."""


class DataError(UserError, ValueError):
    """A file or folder of images, annotations, classes or results that is missing, damaged or does not fit."""


class ImageError(DataError):
    """An image file that is missing, damaged, too large or of an unknown kind."""


class WeightsError(UserError, RuntimeError):
    """Pretrained weights that cannot be had."""


class CheckpointError(UserError, ValueError):
    """A checkpoint that is missing, damaged or cannot be written."""
