"""How much memory does reading the largest pictures take? Each form of a file, one at a time and two at once.

python -m benchmarks.memory
"""

import io
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from serving import images
from serving.errors import ApiError
from serving.images import PNG, memory

SIDE = 4992  # squared not quite 25 megapixels
BAR = 100  # megabytes beyond what the process has when nothing is being read


def picture(mode: str, side: int = SIDE) -> Image.Image:
    """A picture of blotches, which is small to send; in one of Pillow's modes."""
    blotches = np.random.default_rng(0).integers(0, 256, (78, 78, 4), np.uint8)
    image = Image.fromarray(blotches).resize((side, side), Image.Resampling.NEAREST)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image.convert(mode)


def saved(kind: str, mode: str, **options: object) -> Callable[[int], bytes]:
    """Makes the file of a picture of so many pixels a side, a multiple of 8."""

    def save(side: int) -> bytes:
        file = io.BytesIO()
        picture(mode, side).save(file, kind, **options)
        return file.getvalue()

    return save


def deep_png(channels: int, interlaced: bool = False) -> Callable[[int], bytes]:
    """Makes a PNG as Pillow writes none: blank, 16 bits a channel, or 8 and interlaced."""

    def make(side: int) -> bytes:
        bits = 8 if interlaced else 16
        header = struct.pack(">IIBBBBB", side, side, bits, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, interlaced)
        passes = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)] if interlaced else [(1, 1)]
        rows = b"".join(bytes(1 + side // right * channels * bits // 8) * (side // down) for right, down in passes)
        return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

    return make


def chunk(kind: bytes, content: bytes) -> bytes:
    """One of a PNG file's chunks."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def run_length_bmp(side: int) -> bytes:
    """A BMP of 8 bits, blank, each row packed."""
    row = b"".join(bytes([min(255, side - left), 0]) for left in range(0, side, 255)) + b"\0\0"
    rows = row * side + b"\0\1"
    palette = bytes(range(256)) * 4
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 14 + len(info) + len(palette)
    return struct.pack("<2sIII", b"BM", start + len(rows), 0, start) + info + palette + rows


def deep_tiff(side: int) -> bytes:
    """A TIFF of three channels of 16 bits, blank, in one strip."""
    strip = zlib.compress(bytes(side * side * 6))
    after = 8 + 2 + 10 * 12 + 4
    tags = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 3, after), (259, 3, 1, 8), (262, 3, 1, 2),
        (273, 4, 1, after + 6), (277, 3, 1, 3), (278, 4, 1, side), (279, 4, 1, len(strip)), (284, 3, 1, 1),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + packed + bytes(4) + struct.pack("<3H", 16, 16, 16) + strip


FORMS: dict[str, Callable[[int], bytes]] = {
    **{f"PNG {mode}": saved("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "PNG keyed": saved("PNG", "RGB", transparency=(1, 2, 3)),
    "PNG of 16 bits, LA": deep_png(2),
    "PNG of 16 bits, RGB": deep_png(3),
    "PNG of 16 bits, RGBA": deep_png(4),
    "PNG interlaced, L": deep_png(1, interlaced=True),
    "PNG interlaced, RGB": deep_png(3, interlaced=True),
    "PNG animated": saved("PNG", "RGB", save_all=True, append_images=[picture("RGB", 16)]),
    **{f"JPEG {mode}": saved("JPEG", mode, quality=10) for mode in ("L", "RGB", "CMYK")},
    "JPEG RGB 4:4:4": saved("JPEG", "RGB", quality=10, subsampling=0),
    "JPEG progressive L": saved("JPEG", "L", quality=10, progressive=True),
    "JPEG progressive RGB": saved("JPEG", "RGB", quality=10, progressive=True),
    "JPEG progressive RGB 4:4:4": saved("JPEG", "RGB", quality=10, progressive=True, subsampling=0),
    "JPEG progressive CMYK": saved("JPEG", "CMYK", quality=10, progressive=True),
    "WebP": saved("WEBP", "RGB", quality=10, method=0),
    "WebP RGBA": saved("WEBP", "RGBA", quality=10, method=0),
    "WebP lossless": saved("WEBP", "RGBA", lossless=True, quality=0, method=0),
    "BMP 1": saved("BMP", "1"),
    "BMP run lengths": run_length_bmp,
    "GIF": saved("GIF", "P"),
    "GIF transparent": saved("GIF", "RGBA"),
    **{f"TIFF {mode}": saved("TIFF", mode, compression="tiff_adobe_deflate")
       for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")},
    "TIFF RGB, one strip": saved("TIFF", "RGB", compression="tiff_adobe_deflate", tiffinfo={278: SIDE}),
    "TIFF RGB, JPEG": saved("TIFF", "RGB", compression="jpeg", quality=10),
    "TIFF of 16 bits, RGB": deep_tiff,
}  # fmt: skip


def resident(field: str) -> float:
    """A field of this process's status, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / 1e6


def reading(path: Path, at_once: int) -> None:
    """Print how many megabytes it takes at most, beyond those before, to read a file; how many seconds; and the
    answer's status."""
    memory.give_back()
    for form in ("PNG RGBA", "JPEG RGB", "WebP"):
        images.decode(FORMS[form](100))
    data = path.read_bytes()
    statuses: list[int] = []

    def read() -> None:
        try:
            images.decode(data)
            statuses.append(200)
        except ApiError as error:
            statuses.append(error.status)

    threads = [threading.Thread(target=read) for _ in range(at_once)]
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(resident("VmHWM") - before, time.perf_counter() - began, max(statuses))


def measured(data: bytes, at_once: int) -> tuple[float, float, int]:
    """What `reading` prints, of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        command = [sys.executable, "-m", "benchmarks.memory", str(path), str(at_once)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    megabytes, seconds, status = done.stdout.split()
    return float(megabytes), float(seconds), int(status)


def main() -> None:
    if len(sys.argv) > 1:
        reading(Path(sys.argv[1]), int(sys.argv[2]))
        return
    table = Table("form", "file, MB", "status", "one, MB", "two, MB", "one, s", "two, s")
    worst = 0.0
    for name, make in FORMS.items():
        data = make(SIDE)
        (one, seconds, status), (two, both, _) = measured(data, 1), measured(data, 2)
        worst = max(worst, one, two)
        figures = (f"{len(data) / 1e6:.1f}", str(status), f"{one:.0f}", f"{two:.0f}", f"{seconds:.2f}", f"{both:.2f}")
        table.add_row(name, *figures)
        print(name, *figures, flush=True)
    Console().print(table)
    print(f"At most {worst:.0f} MB of {BAR}.")
    sys.exit(worst >= BAR)


if __name__ == "__main__":
    main()
