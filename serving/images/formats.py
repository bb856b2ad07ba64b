"""What a file is by its first bytes: a format that is taken, another that has a name, a text, or none of them."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # that are taken, as Pillow calls them
PNG = b"\x89PNG\r\n\x1a\n"
MAGIC = (PNG, b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BRANDS = {  # of ISO 14496-12 files, the first that is found: an AVIF may call itself HEIF's mif1 too
    "an AVIF picture": (b"avif", b"avis"),
    "a HEIC picture": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
    "a camera's raw file": (b"crx ",),
}
OTHERS = {  # by their first bytes
    b"\0\0\0\x0cjP  \r\n": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\0\x0cJXL \r\n": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"%PDF": "a PDF",
    b"%!PS": "a PostScript file",
    b"8BPS": "a Photoshop file",
    b"\0\0\1\0": "an icon",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"\x1aE\xdf\xa3": "a video",
}
TEXTS = {  # by how they begin, in small letters; base64 by what each of `MAGIC` begins with there
    "a data URL": (b"data:",),
    "an address, which is never fetched": (b"http://", b"https://", b"file://"),
    "JSON": (b"{", b"["),
    "HTML": (b"<!doctype html", b"<html"),
    "base64": (b"ivborw0kgg", b"/9j/", b"uklgr", b"qk", b"r0lgo", b"suk", b"tu0a"),
}
HEAD = 1000  # bytes in which SVG's first tag stands


def name_of(data: bytes) -> str | None:
    """What a file that is not taken is, such as "a PDF"; None where that is not known."""
    if data[4:8] == b"ftyp":
        size = max(int.from_bytes(data[:4], "big"), 12)
        brands = {data[place : place + 4] for place in range(8, min(size, HEAD), 4)}
        return next((name for name, known in BRANDS.items() if brands.intersection(known)), "a video")
    if b"<svg" in data[:HEAD].lower() and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "an SVG drawing"
    return next((name for magic, name in OTHERS.items() if data.startswith(magic)), None)


def text_of(data: bytes) -> str | None:
    """What is sent for an image, where it is a text: an image in other words, or where one lies; None for all else."""
    start = data[:HEAD].lstrip()
    return next((name for name, beginnings in TEXTS.items() if start.lower().startswith(beginnings)), None)
