"""Pictures made to be misclassified: how many images attacks leave right, and whether the attacks can be trusted.

A section without a gate: these networks were not trained against attacks.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.accuracy import percentages
from pipeline.audits.inputs.catalogue import BLIND, EPSILONS, GRADIENTS, UNTIL_SURE
from pipeline.audits.results import Answered, Results
from pipeline.audits.statistics import exact_interval

TOLERANCE = 0.01
"""Share of images by which an attack may be the weaker one by the chance of its random start."""
LITERATURE = pd.DataFrame(
    [
        ("plain ConvNet, not defended", 0.1, "PGD, 20 steps", 26.8, "measured for this project, 1,000 images"),
        ("plain ConvNet, not defended", 0.3, "PGD, 20 steps", 0.0, "measured for this project, 1,000 images"),
        ("adversarial training, Madry et al. 2018", 0.3, "AutoAttack", 88.5, "AutoAttack's table for MNIST"),
        ("best in that table, Gowal et al. 2020", 0.3, "AutoAttack", 96.34, "AutoAttack's table for MNIST"),
        ("claimed 64.25 %, Taghanaki et al. 2019", 0.3, "AutoAttack", 0.0, "AutoAttack's table for MNIST"),
    ],
    columns=["network", "eps", "attack", "right_percent", "source"],
)


def measure(results: Results) -> dict[str, Any]:
    """What attacks leave right, what of the rest is answered, and whether the attacks are too weak to be trusted."""
    asked = results.of("attack")
    clean = asked["none/0"]
    right = {name: is_right(results, one) for name, one in asked.items()}
    signs = signs_of_weakness(right, len(clean.kept) / len(clean.rows))
    return {
        "clean": float(right["none/0"].mean()),
        "clean_withheld": float(clean.predictions.abstained.mean()),
        "left": attack_table({name: one for name, one in right.items() if not name.startswith(UNTIL_SURE)}),
        "answered": pd.DataFrame(answered(results, asked[f"{UNTIL_SURE}/{eps:g}"], eps) for eps in EPSILONS),
        "gradients": GRADIENTS,
        "epsilons": EPSILONS,
        "signs": signs,
        "weak": signs[~signs["passed"]],
        "literature": LITERATURE,
    }


def is_right(results: Results, one: Answered) -> np.ndarray:
    """bool [M]: which pictures of a set are taken for what they show."""
    return np.asarray(one.predictions.digit == results.labels[one.rows])


def attack_table(right: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row for each attack and eps: what it leaves right."""
    rows = []
    for name, one in right.items():
        attack, eps = name.split("/")
        found = percentages(int(one.sum()), len(one), "right")
        rows.append({"attack": attack, "eps": float(eps), "images": len(one), "right": int(one.sum()), **found})
    return pd.DataFrame(rows).sort_values("eps", kind="stable", ignore_index=True)


def answered(results: Results, one: Answered, eps: float) -> dict[str, Any]:
    """What becomes of the pictures that an attack gets misclassified, which went on until the wrong digit was sure.

    ``one`` has every picture twice: as the attack left it, then as an image file of it is prepared.
    """
    wrong, as_file = np.split(~is_right(results, one), 2)
    withheld = one.predictions.abstained[: len(wrong)] & wrong
    count, total = int(withheld.sum()), int(wrong.sum())
    low, high = exact_interval(count, total) if total else (0.0, 1.0)
    return {
        "eps": eps,
        "images": len(wrong),
        "misclassified": total,
        "withheld": count,
        "low": low,
        "high": high,
        "misclassified_as_files": int((wrong & as_file).sum()),
    }


def signs_of_weakness(right: dict[str, np.ndarray], differing: float) -> pd.DataFrame:
    """A row for each sign by which a weak attack gives itself away (Athalye et al. 2018; Carlini et al. 2019).

    Each is a share of the images that may be ``allowed_percent`` at most.

    Args:
        differing: share of the clean images that the network attacked takes for another digit than what is served.
    """
    smaller, larger = EPSILONS
    rows: list[tuple[str, float, float, float]] = [
        ("attacked network and served one differ on clean images", 0.0, differing, 0.0),
        ("still right where any picture may become any other", 1.0, float(right[f"{GRADIENTS}/1"].mean()), 0.0),
    ]
    for eps in EPSILONS:
        blind = right[f"{BLIND}/{eps:g}"]
        alone = right[f"{GRADIENTS}/{eps:g}"][: len(blind)] & ~blind
        rows.append(("falls to random search but not to gradients", eps, float(alone.mean()), TOLERANCE))
    for name in (GRADIENTS, BLIND):
        more = right[f"{name}/{larger:g}"].mean() - right[f"{name}/{smaller:g}"].mean()
        rows.append((f"{name}: more is left by the larger change", larger, float(more), TOLERANCE))
    table = pd.DataFrame(rows, columns=["sign", "eps", "found", "allowed"])
    return pd.DataFrame(
        {
            "sign": table["sign"],
            "eps": table["eps"],
            "found_percent": 100 * table["found"],
            "allowed_percent": 100 * table["allowed"],
            "passed": table["found"] <= table["allowed"],
        }
    )
