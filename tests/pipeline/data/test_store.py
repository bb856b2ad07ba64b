import numpy as np
import pandas as pd
import pytest

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.save import COLUMNS, SPLITS, save


def arrays(count: int = 3) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        name: (np.full((count, 28, 28), place, np.uint8), np.arange(count, dtype=np.uint8))
        for place, name in enumerate(SPLITS)
    }


def samples() -> pd.DataFrame:
    return pd.DataFrame(dict.fromkeys(COLUMNS, 1) | {"population": None, "writer": None}, index=[0])


def test_a_split_is_loaded_as_it_was_saved(tmp_path):
    save(tmp_path / "processed", arrays(), samples())
    for name, (images, labels) in arrays().items():
        loaded = store.load_split(tmp_path / "processed", name)
        np.testing.assert_array_equal(loaded[0], images)
        np.testing.assert_array_equal(loaded[1], labels)


def test_what_is_unknown_is_null_in_the_table(tmp_path):
    save(tmp_path / "processed", arrays(), samples())
    table = pd.read_parquet(tmp_path / "processed/samples.parquet")
    assert list(table) == list(COLUMNS)
    assert (str(table["writer"].dtype), str(table["population"].dtype)) == ("Int32", "str")
    assert table[["population", "writer"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("images.npy", None, "cannot be read"),
        ("labels.npy", b"nonsense", "cannot be read"),
        ("labels.npy", np.zeros(2, np.uint8), r"labels.npy holds uint8 \(2,\), not uint8 \(3,\)"),
        ("labels.npy", np.zeros(3, np.int64), "int64"),
        ("images.npy", np.zeros((3, 28, 28)), "float64"),
        ("images.npy", np.zeros((3, 784), np.uint8), r"\(3, 784\)"),
        ("images.npy", np.array([{}]), "cannot be read"),
    ],
)
def test_a_damaged_split_is_refused(tmp_path, file, content, complaint):
    folder = tmp_path / "processed"
    save(folder, arrays(), samples())
    path = folder / "val" / file
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(DataError, match=complaint) as caught:
        store.load_split(folder, "val")
    assert "python -m pipeline.preprocess" in str(caught.value)
