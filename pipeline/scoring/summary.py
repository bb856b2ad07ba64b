"""What came of it all, in numbers and in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.scoring.tally import CONFIDENCE, NOVELTY, Tally, beyond, quantile
from serving.model.recogniser import Recogniser

QUANTILES = (0.5, 0.9, 0.99)
RARE = 0.05
"""Of the test digits so many are more novel than a mark against which the input is held."""
UNLIKE = 2.0
"""So many times as many of the input's images beyond it, and it is said to be unlike the test digits."""


def summed(total: Tally, expected: Tally | None, recogniser: Recogniser, digest: str) -> dict[str, Any]:
    """The summary. expected: of test digits. digest: of all rows."""
    return {
        "model": {name: getattr(recogniser, name) for name in ("name", "version", "sha256", "source")},
        "images": total.images,
        "answered": int(total.digits.sum()),
        "digits": {str(digit): int(count) for digit, count in enumerate(total.digits)},
        "abstained": {"total": total.reasons.total(), **dict(total.reasons.most_common())},
        "unreadable": {"total": total.errors.total(), **dict(total.errors.most_common())},
        "input": seen(total),
        "test digits": seen(expected) if expected else None,
        "novelty": compared(total, expected, recogniser) if expected and total.answers else None,
        "rows_sha256": digest,
    }


def seen(tally: Tally) -> dict[str, Any]:
    """Quantiles of confidence and novelty, and how often it abstained, of images that were read."""
    if not tally.answers:
        return {"images": 0}
    return {
        "images": tally.answers,
        "abstained": round(tally.reasons.total() / tally.answers, 6),
        "confidence": {
            name: round(quantile(tally.confidence, CONFIDENCE, share), 4)
            for name, share in (("1 %", 0.01), ("10 %", 0.1), ("median", 0.5))
        },
        "novelty": {
            "median" if share == 0.5 else f"{share:.0%}".replace("%", " %"): round(
                quantile(tally.novelty, NOVELTY, share), 4
            )
            for share in QUANTILES
        },
    }


def compared(total: Tally, expected: Tally, recogniser: Recogniser) -> dict[str, Any]:
    """How many images are more novel than nearly all test digits are, and than the model lets pass."""
    mark = quantile(expected.novelty, NOVELTY, 1 - RARE)
    shares = [beyond(tally.novelty, NOVELTY, mark) for tally in (total, expected)]
    return {
        "mark": round(mark, 4),
        "input_beyond": round(shares[0], 6),
        "test_digits_beyond": round(shares[1], 6),
        "threshold": recogniser.novelty_threshold,
        "input_beyond_threshold": round(beyond(total.novelty, NOVELTY, recogniser.novelty_threshold), 6),
        "unlike": bool(shares[0] > UNLIKE * max(shares[1], RARE)),
    }


def told(summary: Mapping[str, Any]) -> str:
    """The summary in words, a few lines."""
    model, images, abstained = summary["model"], summary["images"], summary["abstained"]
    lines = [f"{images:,} images, scored by {model['name']} {model['version']}, which learnt from {model['source']}"]
    lines.append(f"  answered    {of(summary['answered'], images)}")
    for digit, count in summary["digits"].items():
        lines.append(f"    {digit}         {of(count, images)}")
    for kind, counts in (("abstained", abstained), ("unreadable", summary["unreadable"])):
        lines.append(f"  {kind:<11} {of(counts['total'], images)}")
        lines += [f"    {name:<22} {count:>14,}" for name, count in counts.items() if name != "total"]
    lines += comparison(summary)
    lines.append(f"  sha256 of all rows  {summary['rows_sha256']}")
    return "\n".join(lines)


def comparison(summary: Mapping[str, Any]) -> list[str]:
    """The input beside the test digits."""
    given, test, novelty = summary["input"], summary["test digits"], summary["novelty"]
    if not given["images"]:
        return []
    columns = [given] if test is None else [given, test]
    heads = ["input", f"{test['images']} test digits" if test else ""]
    lines = [f"  {'':<24}{heads[0]:>12}{heads[1]:>18}"]
    rows = [("abstained", [f"{one['abstained']:.2%}" for one in columns])]
    for what in ("confidence", "novelty"):
        rows += [(f"{what}, {name}", [f"{one[what][name]:.3f}" for one in columns]) for name in given[what]]
    lines += [f"  {name:<24}{values[0]:>12}{values[1] if len(values) > 1 else '':>18}" for name, values in rows]
    if novelty is None:
        lines.append(f"  There are no test digits of {summary['model']['source']} here to compare novelty with.")
    else:
        verdict = "unlike" if novelty["unlike"] else "like"
        lines.append(
            f"  {novelty['input_beyond']:.1%} of the input is more novel than {1 - RARE:.0%} of the test digits:"
            f" by that it is {verdict} them."
        )
    return lines


def of(count: int, total: int) -> str:
    """A count, and what share it is."""
    return f"{count:>14,}{count / total if total else np.nan:>9.2%}"
