"""Tell 0 from 1 by weights that a person has set: ink in the middle speaks for 1, ink on either side of it for 0.

    python -m pipeline.by_hand
    python -m pipeline.by_hand --png weights.png

One neuron with 64 weights and the threshold 0, on UCI's 8x8 digits. `make texts` lets a network learn such weights.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.texts import data, params, rule


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the weights there as well")
    png = parser.parse_args(argv).png
    shares = params.load().split
    print("The weights: + for 1, - for 0, . for neither.\n")
    print("\n".join(" ".join(row) for row in rule.RULE.split()), end="\n\n")
    for title, part in data.MEASURED.items():
        images, labels = data.load("zero_or_one", part, shares)
        right = rule.answers(images) == labels
        each = ", ".join(f"{right[labels == digit].sum()} of {(labels == digit).sum()} {digit}s" for digit in (0, 1))
        print(f"{title}: {right.mean():.1%} right; {each}")
    if png:
        from pipeline.texts import figures

        figures.save(figures.pictures({"by hand": {"for 1": rule.weights()}}), png)


if __name__ == "__main__":
    main()
