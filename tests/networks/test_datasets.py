"""Data sets as tensors: sizes, statistics, subsets, what tables of results must say."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from theory_lab.core import StorageError, UsageError
from theory_lab.networks import datasets
from theory_lab.networks.datasets import DATASETS, load, spread
from theory_lab.networks.loader import Loader

SIZES = {
    "digits": (1437, 360, (1, 8, 8), 10),
    "mnist_test3000": (60_000, 3_000, (1, 28, 28), 10),
    "cifar10_jpeg": (50_000, 10_000, (3, 32, 32), 10),
    "bank_marketing": (36_169, 9_042, (15,), 2),
}


@functools.cache
def whole(name: str) -> datasets.Dataset | StorageError:
    try:
        return load(name)
    except StorageError as error:
        return error


def loaded(name: str) -> datasets.Dataset:
    """The data set, read once; the test is skipped where it is missing."""
    if isinstance(data := whole(name), StorageError):
        pytest.skip(str(data))
    return data


@pytest.mark.parametrize("name", SIZES)
def test_sizes_types_and_one_batch(name: str) -> None:
    data = loaded(name)
    train, test, shape, classes = SIZES[name]
    assert data.name == name
    assert (len(data.train), len(data.test), data.classes) == (train, test, classes)
    assert (len(data.train_labels), len(data.test_labels)) == (train, test)
    assert data.train.dtype == (torch.int64 if data.is_table else torch.uint8)
    assert data.train_labels.dtype == torch.int64
    assert set(data.train_labels.tolist()) == set(range(classes))
    assert data.example().shape == (1, *shape)
    inputs, labels = next(iter(Loader(data, 32, seed=0, train=False)))
    assert inputs.shape == (32, *shape)
    assert inputs.dtype == data.example().dtype
    assert len(labels) == 32


@pytest.mark.parametrize(
    ("name", "tolerance"), [("digits", 1e-3), ("mnist_test3000", 1e-3), ("cifar10_jpeg", 0.01)]
)
def test_normalised_training_images_have_mean_0_and_deviation_1(
    name: str, tolerance: float
) -> None:
    """The JPEG pack is normalised by the published figures of CIFAR-10, off by 1 % of a deviation."""
    data = loaded(name)
    assert isinstance(data.train, Tensor)
    chunks = (part.flatten(0, 2).float() / 255 for part in data.train.split(5000))
    # equally large chunks: the digits are one, the other sets whole numbers of them
    moments = torch.stack([torch.stack([x.mean(0), x.square().mean(0)]) for x in chunks]).mean(0)
    mean, std = moments[0], (moments[1] - moments[0].square()).sqrt()
    assert ((mean - torch.tensor(data.mean)) / std).abs().max() < tolerance
    assert (torch.tensor(data.std) / std - 1).abs().max() < tolerance


def test_notes_say_what_the_data_are() -> None:
    assert loaded("cifar10_jpeg").note == "CIFAR-10, JPEG q75"
    assert loaded("mnist_test3000").note == "MNIST, 3,000 of its 10,000 test images"
    assert load("digits", train_size=500).note == "digits, 8x8, 500 training examples"
    assert load("digits", train_size=1437).note == "digits, 8x8"


def test_a_subset_keeps_the_shares_of_sorted_classes(monkeypatch) -> None:
    data = loaded("cifar10_jpeg")
    monkeypatch.setitem(datasets._READERS, "cifar10_jpeg", lambda: data)
    data = load("cifar10_jpeg", train_size=1000)
    assert set((data.train_labels.bincount() - 100).abs().tolist()) <= {0, 1}
    assert len(data.test) == 10_000


@pytest.mark.parametrize(("count", "size"), [(10, 1), (1437, 100), (50_000, 777), (5, 5)])
def test_subsets_are_spread_and_nested(count: int, size: int) -> None:
    chosen = spread(count, size)
    assert len(set(chosen.tolist())) == size
    assert set(chosen) <= set(spread(count, min(count, size + 1)))
    gaps = np.diff(np.concatenate([[-1], chosen, [count]]))
    assert gaps.max() <= 3 * count / size + 1
    assert len(set(np.diff(chosen).tolist())) <= 3


@pytest.mark.parametrize("size", [0, 1438])
def test_too_large_a_subset(size: int) -> None:
    with pytest.raises(UsageError, match=f"train_size is {size}, but digits.* 1,437 .* 1 to 1437"):
        load("digits", train_size=size)


@pytest.mark.parametrize(("device", "says"), [("cuda", "no cuda device"), ("gpu", "'gpu'; take")])
def test_a_device_that_is_not_there(
    device: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=says):
        load("digits", device=device)


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match="no data set 'cifar'; there are digits, mnist,") as caught:
        load("cifar")
    assert all(name in str(caught.value) for name in DATASETS)


@pytest.mark.parametrize("name", [n for n in DATASETS if n not in ("digits", "mnist", "cifar10")])
def test_missing_files_say_where_they_go(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(StorageError, match="put") as caught:
        load(name)
    assert str(tmp_path / "mine") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mnist_is_the_pack_where_the_standard_files_are_not() -> None:
    loaded("mnist_test3000")
    data = loaded("mnist")
    assert (data.name, len(data.test)) in (("mnist", 10_000), ("mnist_test3000", 3_000))
    assert ("3,000" in data.note) == (data.name == "mnist_test3000")


def test_ids_of_a_table_stay_below_the_vocabularies() -> None:
    data = loaded("bank_marketing")
    for rows in (data.train, data.test):
        assert isinstance(rows, Tensor)
        assert (rows >= 0).all()
        assert (rows < torch.tensor(data.vocabularies)).all()


@pytest.fixture
def image_folder(tmp_path, monkeypatch) -> None:
    """Eight images of one colour in two classes, red for the first, below a data folder."""
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path))
    for part, name in itertools.product(("train", "val"), ("a", "b")):
        folder = tmp_path / "imagenet" / part / name
        folder.mkdir(parents=True)
        for number in range(4):
            half = np.zeros((40, 60, 3), np.uint8)
            half[:, :30, int(name == "b")] = 255
            Image.fromarray(half).save(folder / f"{number}.png")


def test_imagenet_is_decoded_batch_by_batch_and_resumes(image_folder) -> None:
    data = load("imagenet")
    assert (data.classes, data.input_shape) == (2, (3, 224, 224))
    loader = Loader(data, 4, seed=0)
    batches = list(loader)
    assert [inputs.shape for inputs, _ in batches] == [(4, 3, 224, 224)] * 2
    red, green = (torch.cat([inputs[:, c].amax((1, 2)) for inputs, _ in batches]) for c in (0, 1))
    assert ((red > green) == (torch.cat([labels for _, labels in batches]) == 0)).all()
    again = Loader(data, 4, seed=0)
    stream = iter(again)
    next(stream)
    resumed = Loader(data, 4, seed=1)
    resumed.load_state_dict(again.state_dict())
    ((inputs, labels),) = list(resumed)
    assert torch.equal(inputs, batches[1][0])
    assert torch.equal(labels, batches[1][1])


def test_imagenet_is_mirrored_in_training_alone(image_folder) -> None:
    data = load("imagenet", train_size=6)
    assert len(data.train) == 6
    bright = [
        inputs[..., :112].sum((1, 2, 3)) > inputs[..., 112:].sum((1, 2, 3))
        for _ in range(4)
        for inputs, _ in Loader(data, 6, seed=0)
    ]
    assert 0 < torch.cat(bright).float().mean() < 1
    for inputs, _ in Loader(data, 8, seed=0, train=False):
        assert (inputs[..., :112].sum((1, 2, 3)) > inputs[..., 112:].sum((1, 2, 3))).all()


def test_a_data_set_moves_as_a_whole() -> None:
    data = load("digits", device="meta")
    tensors = (data.train, data.train_labels, data.test, data.test_labels, data.example())
    assert {tensor.device.type for tensor in tensors if isinstance(tensor, Tensor)} == {"meta"}
    assert data.classes == 10
