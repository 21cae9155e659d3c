"""A Python interpreter for tests that has imported the libraries already: importing them takes most of a tiny stage.

``start`` leaves a process that has imported them. ``client`` writes a program that takes the arguments of ``python -m
fullseg`` and lets that process fork a child, which runs the command with the program's environment and output.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

CLIENT = """#!{python} -S
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
task = json.dumps([sys.argv[3:], dict(os.environ), os.getcwd()]).encode()
socket.send_fds(server, [len(task).to_bytes(4, "big")], [1, 2])
server.sendall(task)
sys.exit(int(server.recv(16) or 1))
"""


def client(path: Path, address: Path) -> None:
    """Write the program."""
    path.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    path.chmod(0o755)


def start(address: Path) -> subprocess.Popen[str]:
    """Start the process, and wait until it has imported everything."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, __file__, str(address)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def serve(address: str) -> None:
    """Fork a child for every command."""
    import fullseg.cli.tables
    import fullseg.training.run_study  # noqa: F401

    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            run(connection)
        connection.close()


def run(connection: socket.socket) -> None:
    """Run one command in this process, which then ends."""
    from fullseg.__main__ import main

    size, descriptors, *_ = socket.recv_fds(connection, 4, 2)
    task = b""
    while len(task) < int.from_bytes(size, "big"):
        task += connection.recv(1 << 20)
    words, environment, folder = json.loads(task)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
    sys.argv = ["fullseg", *words]
    status = 1
    try:
        status = main(words)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(status).encode())
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
