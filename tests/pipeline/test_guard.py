"""A server that was killed is gone when that is said, with its workers."""

import socket
import subprocess
import sys

import pytest

from pipeline import guard

SERVER = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
WORKER = """
import socket, time

held = bytearray(b"x") * 500_000_000
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_no_worker_holds_its_port_though_the_kernel_first_frees_its_memory():
    with subprocess.Popen([sys.executable, "-c", SERVER, WORKER], stdout=subprocess.PIPE) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        socket.create_connection(("127.0.0.1", port)).close()
        guard.kill(server.pid)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_who_is_gone_already_is_no_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as server:
        server.wait()
    guard.kill(server.pid)
