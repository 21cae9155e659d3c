"""The command line: ``python -m fullseg COMMAND``."""

import errno
import signal
import sys
from collections.abc import Sequence

from fullseg.cli.arguments import parse
from fullseg.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    Errors of the user's making are one message, without a traceback.
    """
    options = parse(arguments)
    try:
        status: int = options.run(options)
    except Exception as error:
        if not _users_making(error, options.command):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:  # what was under way may have said how to go on
        if str(stop) or type(stop) is KeyboardInterrupt:
            print(str(stop) or "Stopped.", file=sys.stderr)
        return getattr(stop, "status", 128 + signal.SIGINT)
    return status


def _users_making(error: Exception, command: str) -> bool:
    """Tell whether a message says all, or a bug's traceback is needed."""
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or isinstance(error, ConfigError):
        return True
    if command not in ("train", "study", "sweep", "reproduce") and isinstance(error, OSError | ValueError):
        return True
    from fullseg.errors import CheckpointError, DataError, WeightsError

    return isinstance(error, DataError | WeightsError | CheckpointError)


if __name__ == "__main__":
    sys.exit(main())
