"""How much memory does reading the largest pictures take? Each form of a file, one at a time and three at once.

python -m benchmarks.memory
"""

import io
import math
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

PIXELS = {
    "JPEG": 25_000_000,
    "JPEG progressive RGB": 20_000_000,
    "JPEG progressive RGB 4:4:4": 10_000_000,
    "JPEG progressive CMYK": 7_500_000,
    "PNG": 16_000_000,
    "WebP": 4_000_000,
}  # what the service promises to read; of all else 6 megapixels
BAR = 100  # megabytes beyond what the process has when nothing is being read
AT_ONCE = 3  # two are decoded and one explained


def largest(form: str) -> int:
    """The side of the largest square, a multiple of 8, of which the service reads a file of one of FORMS."""
    return math.isqrt(PIXELS.get(form) or PIXELS.get(form.split()[0], 6_000_000)) // 8 * 8


def picture(mode: str, side: int) -> Image.Image:
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


def blank_png(channels: int, bits: int, interlaced: bool = False) -> Callable[[int], bytes]:
    """Makes a PNG as Pillow writes none."""

    def make(side: int) -> bytes:
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


def deep_tiff(channels: int) -> Callable[[int], bytes]:
    """Makes a TIFF of three or four channels of 16 bits, blank, in one strip."""

    def make(side: int) -> bytes:
        strip = zlib.compress(bytes(side * side * 2 * channels))
        tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, channels, 0), (259, 3, 1, 8), (262, 3, 1, 2),
                (273, 4, 1, 0), (277, 3, 1, channels), (278, 4, 1, side), (279, 4, 1, len(strip)), (284, 3, 1, 1),
                (338, 3, 1, 2)][: 7 + channels]  # fmt: skip
        bits = 8 + 2 + 12 * len(tags) + 4
        values = {258: bits, 273: bits + 2 * channels}
        packed = b"".join(struct.pack("<HHII", tag, *rest, values.get(tag, value)) for tag, *rest, value in tags)
        after = struct.pack(f"<{channels}H", *[16] * channels)
        return b"II*\0" + struct.pack("<IH", 8, len(tags)) + packed + bytes(4) + after + strip

    return make


TURNED = Image.Exif()
TURNED[274] = 6

FORMS: dict[str, Callable[[int], bytes]] = {
    **{f"PNG {mode}": saved("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "PNG keyed": saved("PNG", "RGB", transparency=(1, 2, 3)),
    "PNG of 16 bits, LA": blank_png(2, 16),
    "PNG of 16 bits, RGB": blank_png(3, 16),
    "PNG of 16 bits, RGBA": blank_png(4, 16),
    "PNG interlaced, L": blank_png(1, 8, interlaced=True),
    "PNG interlaced, RGB": blank_png(3, 8, interlaced=True),
    "PNG interlaced of 16 bits, RGBA": blank_png(4, 16, interlaced=True),
    "PNG turned": saved("PNG", "RGBA", exif=TURNED),
    "PNG animated": saved("PNG", "RGB", save_all=True, append_images=[picture("RGB", 16)]),
    "PNG animated, RGBA": saved("PNG", "RGBA", save_all=True, append_images=[picture("RGBA", 16)]),
    **{f"JPEG {mode}": saved("JPEG", mode, quality=10) for mode in ("L", "RGB", "CMYK")},
    "JPEG turned": saved("JPEG", "RGB", quality=10, exif=TURNED),
    "JPEG RGB 4:4:4": saved("JPEG", "RGB", quality=10, subsampling=0),
    "JPEG progressive L": saved("JPEG", "L", quality=10, progressive=True),
    "JPEG progressive RGB": saved("JPEG", "RGB", quality=10, progressive=True),
    "JPEG progressive RGB 4:4:4": saved("JPEG", "RGB", quality=10, progressive=True, subsampling=0),
    "JPEG progressive CMYK": saved("JPEG", "CMYK", quality=10, progressive=True),
    "WebP": saved("WEBP", "RGB", quality=10, method=0),
    "WebP RGBA": saved("WEBP", "RGBA", quality=10, method=0),
    "WebP lossless": saved("WEBP", "RGBA", lossless=True, quality=0, method=0),
    "WebP turned": saved("WEBP", "RGBA", quality=10, method=0, exif=TURNED),
    "BMP 1": saved("BMP", "1"),
    "BMP run lengths": run_length_bmp,
    "GIF": saved("GIF", "P"),
    "GIF transparent": saved("GIF", "RGBA"),
    **{f"TIFF {mode}": saved("TIFF", mode, compression="tiff_adobe_deflate")
       for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")},
    "TIFF RGB, one strip": saved("TIFF", "RGB", compression="tiff_adobe_deflate", tiffinfo={278: 10_000}),
    "TIFF turned": saved("TIFF", "RGBA", compression="tiff_adobe_deflate", tiffinfo={278: 10_000, 274: 6}),
    "TIFF RGB, JPEG": saved("TIFF", "RGB", compression="jpeg", quality=10),
    "TIFF of 16 bits, RGB": deep_tiff(3),
    "TIFF of 16 bits, RGBA": deep_tiff(4),
}  # fmt: skip


def resident(field: str) -> float:
    """A field of this process's status, in megabytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
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
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
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
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace")
    megabytes, seconds, status = done.stdout.split()
    return float(megabytes), float(seconds), int(status)


def main() -> None:
    if len(sys.argv) > 1:
        reading(Path(sys.argv[1]), int(sys.argv[2]))
        return
    table = Table("form", "megapixels", "file, MB", "status", "one, MB", "three, MB", "one, s", "three, s")
    worst = 0.0
    for name, make in FORMS.items():
        data = make(largest(name))
        (one, seconds, status), (three, all_three, _) = measured(data, 1), measured(data, AT_ONCE)
        worst = max(worst, one, three)
        sizes = (f"{largest(name) ** 2 / 1e6:.1f}", f"{len(data) / 1e6:.1f}")
        figures = (*sizes, str(status), f"{one:.0f}", f"{three:.0f}", f"{seconds:.2f}", f"{all_three:.2f}")
        table.add_row(name, *figures)
        print(name, *figures, flush=True)
    Console().print(table)
    print(f"At most {worst:.0f} MB of {BAR}.")
    sys.exit(worst >= BAR)


if __name__ == "__main__":
    main()
