"""Real data: embedded digits, and MNIST from the data folders with its hash."""

import numpy as np
import pytest

from theory_lab.core import StorageError
from theory_lab.data import files
from theory_lab.data.digits import digits
from theory_lab.data.mnist import FILE, MD5, mnist


def test_digits_are_all_there() -> None:
    images, labels = digits()
    assert images.shape == (1797, 8, 8)
    assert images.dtype == labels.dtype == np.uint8
    assert images.max() == 16
    assert set(labels) == set(range(10))


def test_missing_file_says_where_it_goes(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(StorageError, match="missing: put it at") as caught:
        mnist()
    assert str(tmp_path / "data" / FILE) in str(caught.value)
    assert caught.value.exit_code == 3


def test_damaged_file_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path))
    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_bytes(b"not mnist")
    with pytest.raises(StorageError, match="MD5"):
        mnist()


def test_folders_are_searched_in_order(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    md5 = "d41d8cd98f00b204e9800998ecf8427e"  # of nothing
    for folder in ("cache/theory_lab", ".data", "mine"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "empty").write_bytes(b"")
        assert files.find("empty", md5).resolve() == (tmp_path / folder / "empty").resolve()


def test_mnist_shapes() -> None:
    try:
        files.find(FILE, MD5)
    except StorageError:
        pytest.skip("mnist.npz is not on this machine")
    data = mnist()
    assert data.train.shape == (60_000, 28, 28)
    assert data.test.shape == (3000, 28, 28)
    assert data.train.dtype == np.uint8
    assert len(data.train_labels) == 60_000
    assert len(data.test_labels) == 3000
