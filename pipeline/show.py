"""The stage show: make what the page's views load, from the champion, the candidates and the data.

    python -m pipeline.show

Writes show/, which the stage package puts into the Bento; the page finds a file of it as page/show/FILE.
"""

from collections.abc import Iterator

from pipeline.data.files import replacing
from pipeline.paths import SHOW
from pipeline.stage import stage


def made() -> Iterator[tuple[str, bytes]]:
    """Each file's name and content."""
    yield from ()


@stage("show")
def main() -> None:
    size = 0
    with replacing(SHOW) as folder:
        for name, content in made():
            (folder / name).write_bytes(content)
            size += len(content)
            print(f"{SHOW / name}: {len(content):,} bytes", flush=True)
    print(f"The page's views load {size:,} bytes in all.")


if __name__ == "__main__":
    main()
