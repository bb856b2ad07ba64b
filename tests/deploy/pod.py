"""A pod without Kubernetes: a process with a root, a network and process ids of its own, by Linux's namespaces.

As a program, inside of these namespaces, it makes the root of what the service needs, each part read-only, and becomes
the container's command as its user. Needs root.
"""

import array
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

BENTO = "/opt/bento"
DEVICES = ("null", "zero", "random", "urandom")
NAMESPACES = ("--mount", "--net", "--pid", "--fork")
NO_PRIVILEGES = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
STOP_S = 60.0


@dataclass(frozen=True)
class Spec:
    """What a pod is made of. writable: the bytes of each folder that can be written to."""

    root: str
    bento: str
    command: list[str]
    environ: dict[str, str]
    user: int
    group: int
    writable: dict[str, int]
    libraries: list[str] = field(default_factory=lambda: [sys.prefix, sys.base_prefix])


@dataclass(frozen=True)
class Pod:
    """A pod that runs. process: what ends as it does; first: its process of id 1; inside: threads in its network."""

    process: "subprocess.Popen[bytes]"
    first: psutil.Process
    inside: ThreadPoolExecutor
    log: Path

    def megabytes(self) -> float:
        """The memory of its processes, what they share counted once."""
        processes = [self.first, *self.first.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in processes) / 1e6


def can_run() -> bool:
    """Whether this user may make the namespaces."""
    return subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True).returncode == 0


@contextmanager
def running(spec: Spec, log: Path, memory: int, threads: int = 8) -> Iterator[Pod]:
    """Run a pod of at most `memory` bytes; the kernel sees to that where it lets control groups be made."""
    Path(spec.root).mkdir()
    with _at_most(memory) as group, log.open("wb") as stream:
        process = subprocess.Popen(
            ["unshare", *NAMESPACES, sys.executable, __file__, json.dumps(asdict(spec)), str(group or "")],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        try:
            first = _child_in_its_network(process, log)
            try:
                with ThreadPoolExecutor(threads, initializer=_enter_network, initargs=(first.pid,)) as inside:
                    yield Pod(process, first, inside, log)
            finally:
                with suppress(psutil.NoSuchProcess):
                    first.kill()  # and with the first of its namespace all others
        finally:
            process.kill()
            process.wait()


def _child_in_its_network(process: "subprocess.Popen[bytes]", log: Path) -> psutil.Process:
    """The first process of the namespaces, once it has its network."""
    own = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + STOP_S
    while process.poll() is None and time.monotonic() < deadline:
        for child in psutil.Process(process.pid).children():
            with suppress(OSError):
                if Path(f"/proc/{child.pid}/ns/net").readlink() != own:
                    return child
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def _enter_network(pid: int) -> None:
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def _at_most(memory: int) -> Iterator[Path | None]:
    """A control group of so many bytes, None where the system lets none be made."""
    for parent, limit in GROUPS:
        group = Path(parent) / f"inkwell-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if not (group / limit).exists():  # the controller of memory is elsewhere
            group.rmdir()
            continue
        try:
            (group / limit).write_text(str(memory))
            yield group
        finally:
            while (group / "cgroup.procs").read_text():  # what was killed is about to go
                time.sleep(0.02)
            group.rmdir()
        return
    yield None


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _bind(source: str, root: Path, target: str = "") -> None:
    """Show a file or folder of the machine's in the root, to be read only."""
    place = root / (target or source).lstrip("/")
    if Path(source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    _mount("--bind", source, place)
    _mount("-o", "remount,bind,ro", place)


def _make_root(spec: Spec) -> Path:
    root = Path(spec.root)
    _mount("-t", "tmpfs", "-o", "mode=755", "root", root)
    for name in ("bin", "sbin", "lib", "lib64"):
        with suppress(FileNotFoundError):
            (root / name).symlink_to(Path(f"/{name}").readlink())
    for path in ("/usr", "/etc", *(f"/dev/{name}" for name in DEVICES)):
        _bind(path, root)
    for path in spec.libraries:
        if not path.startswith("/usr/"):
            _bind(path, root)
    _bind(spec.bento, root, BENTO)
    for path in ("proc", *(folder.lstrip("/") for folder in spec.writable)):
        (root / path).mkdir()
    _mount("-o", "remount,ro", root)
    _mount("-t", "proc", "proc", root / "proc")
    for folder, size in spec.writable.items():
        _mount("-t", "tmpfs", "-o", f"mode=777,size={size}", "emptydir", root / folder.lstrip("/"))
    return root


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = array.array("b", struct.pack("16sh14x", b"lo", IFF_UP))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def main() -> None:
    spec = Spec(**json.loads(sys.argv[1]))
    if sys.argv[2]:
        (Path(sys.argv[2]) / "cgroup.procs").write_text("0")
    _loopback_up()
    os.chroot(_make_root(spec))
    os.chdir("/tmp")
    os.umask(0o022)
    user = [f"--reuid={spec.user}", f"--regid={spec.group}", *NO_PRIVILEGES]
    os.execve(shutil.which("setpriv") or "setpriv", ["setpriv", *user, *spec.command], spec.environ)


if __name__ == "__main__":
    main()
