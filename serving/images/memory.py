"""The memory budget of all images that are being read, and freed memory that goes back to the system."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BUDGET = 90_000_000  # bytes: a large image takes them all, so that large ones are decoded one at a time
LITTLE = 1_000_000  # what takes no more never waits: it may be read where nothing may wait
LARGE = 4_000_000  # blocks of more than a batch's pixels go back to the system as soon as they are freed

GLIBC_TRIM_THRESHOLD, GLIBC_MMAP_THRESHOLD, GLIBC_ARENA_MAX = -1, -3, -8  # as mallopt numbers them

_free = BUDGET
_changed = threading.Condition()


@contextmanager
def reserve(size: int) -> Iterator[None]:
    """`size` bytes, at most BUDGET, for as long as the context lasts: waits until they are free. Do not nest them."""
    global _free
    if size <= LITTLE:
        yield
        return
    with _changed:
        _changed.wait_for(lambda: size <= _free)
        _free -= size
    try:
        yield
    finally:
        with _changed:
            _free += size
            _changed.notify_all()


def give_back() -> None:
    """Have what is freed given back to the system, where the C library is glibc: it would keep ever larger blocks."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(GLIBC_MMAP_THRESHOLD, LARGE)
        libc.mallopt(GLIBC_TRIM_THRESHOLD, LARGE)
        libc.mallopt(GLIBC_ARENA_MAX, 1)  # or each thread would keep what it freed
