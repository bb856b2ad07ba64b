"""The stage show: make what the page's views load, from the champion, the candidates and the data.

    python -m pipeline.show

Writes show/, which the stage package puts into the Bento; the page finds a file of it as page/show/FILE. Writes
reports/dreams.png too, the same dreams and fools as one figure.
"""

import json
from collections.abc import Iterator

from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.paths import BEST, DREAMS, PROCESSED, SHOW
from pipeline.showcase import dream_figure, dreams
from pipeline.stage import stage
from serving.model.recogniser import Recogniser


def made() -> Iterator[tuple[str, bytes]]:
    """Each file's name and content."""
    champion = BEST / "model.onnx"
    run = json.loads((BEST / "run.json").read_text(encoding="utf-8"))
    images, labels = load_split(PROCESSED, "train")
    yield from dreams.make(champion.read_bytes(), run, Recogniser(champion), images, labels).items()


@stage("show")
def main() -> None:
    size = 0
    with replacing(SHOW) as folder:
        for name, content in made():
            (folder / name).write_bytes(content)
            size += len(content)
            print(f"{SHOW / name}: {len(content):,} bytes", flush=True)
    print(f"The page's views load {size:,} bytes in all.")
    DREAMS.parent.mkdir(exist_ok=True)
    DREAMS.write_bytes(dream_figure.figure({file.name: file.read_bytes() for file in SHOW.glob("dreams*")}))

    from pipeline.tracking.runs import publish_show  # MLflow takes seconds

    publish_show()


if __name__ == "__main__":
    main()
