"""Where the answers of the folds' networks come from."""

import numpy as np
import pandas as pd

from pipeline.cross_predict import places


def test_a_splits_images_are_found_wherever_the_table_has_them():
    dealt = pd.DataFrame({"split": ["val", "train", "train", "val", "train"], "row": [1, 2, 0, 0, 1]})
    np.testing.assert_array_equal(places(dealt, "train"), [2, 4, 1])
    np.testing.assert_array_equal(places(dealt, "val"), [3, 0])
