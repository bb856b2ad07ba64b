"""Digits in the forms that schools, countries and hands have, each drawn with many pens.

The "minimum functionality test" of CheckList (Ribeiro et al., ACL 2020): simple cases that must at least be recognised.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.accuracy import proportion
from pipeline.audits.as_sent import Outcome, outcome, table
from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.strokes import FORMS, STYLES
from pipeline.audits.results import Results


def measure(results: Results) -> dict[str, Any]:
    """The gates forms and forms_wrong, of all forms but the plain ones, and each form and each pen."""
    drawings, became = asked(results)
    regional = drawings["form"].isin(FORMS).to_numpy()
    counted = became.of(regional)
    forms = table(drawings, became, ["form"])
    forms.insert(1, "digit", [STYLES[name].digit for name in forms["form"]])
    forms.insert(2, "plain", [STYLES[name].plain for name in forms["form"]])
    return {
        "forms": proportion(counted.right),  # exact: each drawing is drawn on its own
        "forms_wrong": proportion(counted.wrong),
        "drawings": len(counted.right),
        "forms_drawn": int((~forms["plain"]).sum()),
        "pens_drawn": len(PENS),
        "plain_right": float(became.right[~regional].mean()),
        "by_form": forms.sort_values("right_percent", kind="stable", ignore_index=True),
        "by_pen": table(drawings[regional].reset_index(drop=True), counted, ["pen"]).sort_values(
            "right_percent", kind="stable", ignore_index=True
        ),
    }


def asked(results: Results) -> tuple[pd.DataFrame, Outcome]:
    """A row for each drawing, with its form and its pen; and what became of it."""
    drawings, told = [], []
    for name, one in results.of("forms").items():
        pens = np.repeat(list(PENS), len(one.rows) // len(PENS))
        drawings.append(pd.DataFrame({"form": name, "pen": pens[one.rows]}))
        told.append(outcome(one.predictions, np.full(len(one.rows), STYLES[name].digit)))
    return pd.concat(drawings, ignore_index=True), Outcome.joined(told)
