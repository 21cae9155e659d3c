"""The command line: ``fullseg COMMAND`` or ``python -m fullseg COMMAND``."""

import errno
import os
import signal
import sys
from collections.abc import Sequence

from fullseg.cli.arguments import parse
from fullseg.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    A mistake of the user and a full disk are one line without a traceback.

    Args:
        arguments: without the program's name; None: this process's.

    Returns:
        The exit status: 0, 1 where a command says what it means, 2 after an error, 128 + signal after a signal.
    """
    _share_the_cores()
    options = parse(arguments)
    try:
        status: int = options.run(options)
    except (UserError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOSPC:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:  # its message, where it has one, says how to go on
        if str(stop) or type(stop) is KeyboardInterrupt:
            print(str(stop) or "Stopped.", file=sys.stderr)
        return getattr(stop, "status", 128 + signal.SIGINT)
    return status


def _share_the_cores() -> None:
    """Let PyTorch's threads sleep while they wait: spinning, they take the cores from each other where others are busy.

    They spin for some 30 microseconds first. The next small operation of a stroke mostly comes within that time, and
    waking up takes longer. Whoever has set a variable keeps it.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "600")  # of the OpenMP that PyTorch has on Linux


if __name__ == "__main__":
    sys.exit(main())
