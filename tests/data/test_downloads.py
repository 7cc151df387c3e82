"""Public files: found, downloaded from a server of the test's own, or asked for in one sentence."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from theory_lab.core import StorageError
from theory_lab.data import cifar10, files, mnist_standard

# a download that fails leaves its connection to the garbage collector, in pooch
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def empty_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THEORY_LAB_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    gc.collect()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address, and the folder whose files it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/", folder
        serving.shutdown()
        thread.join()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_a_download_goes_to_the_cache_and_is_made_once(server, tmp_path) -> None:
    address, folder = server
    (folder / "numbers").write_bytes(b"123")
    found = files.fetch("toy/numbers", md5(b"123"), address + "numbers")
    assert found == tmp_path / "cache" / "theory_lab" / "toy" / "numbers"
    assert found.read_bytes() == b"123"
    (folder / "numbers").unlink()
    assert files.fetch("toy/numbers", md5(b"123"), address + "numbers") == found


def test_a_file_of_ones_own_comes_first_and_its_hash_is_checked(server, tmp_path) -> None:
    address, folder = server
    (folder / "numbers").write_bytes(b"123")
    own = tmp_path / "mine" / "toy" / "numbers"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"124")
    with pytest.raises(StorageError, match=f"{own} has the MD5 sum"):
        files.fetch("toy/numbers", md5(b"123"), address + "numbers")
    assert own.read_bytes() == b"124"
    own.write_bytes(b"123")
    assert files.fetch("toy/numbers", md5(b"123"), address + "numbers") == own


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_failed_download_says_where_the_file_goes(server, tmp_path, content) -> None:
    address, folder = server
    if content:
        (folder / "numbers").write_bytes(content)
    with pytest.raises(StorageError, match=r"could not be downloaded .*: put it at") as caught:
        files.fetch("toy/numbers", md5(b"123"), address + "numbers")
    assert str(tmp_path / "mine" / "toy" / "numbers") in str(caught.value)
    assert not list((tmp_path / "cache").rglob("numbers*"))


def test_without_a_network_the_sentence_is_the_same() -> None:
    with pytest.raises(StorageError, match="toy/numbers is missing and could not be downloaded"):
        files.fetch("toy/numbers", md5(b"123"), "http://127.0.0.1:9/numbers")  # nobody listens


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return gzip.compress(header + values.tobytes())


def test_mnist_from_its_standard_files(server, monkeypatch) -> None:
    address, folder = server
    rng = np.random.default_rng(0)
    arrays = [rng.integers(256, size=s, dtype=np.uint8) for s in ((6, 4, 5), 6, (3, 4, 5), 3)]
    known = {}
    for name, values in zip(mnist_standard.MD5, arrays, strict=True):
        (folder / name).write_bytes(idx(values))
        known[name] = md5(idx(values))
    monkeypatch.setattr(mnist_standard, "MD5", known)
    monkeypatch.setattr(mnist_standard, "URL", address)
    assert not mnist_standard.is_complete()
    for found, expected in zip(mnist_standard.mnist_standard(), arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert mnist_standard.is_complete()


@pytest.mark.parametrize("content", [b"\0\0\x09\x01\0\0\0\x01\7", b"\0\0\x08\x01\0\0\0\x02\7"])
def test_not_an_idx_file_of_bytes(content: bytes, tmp_path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(StorageError, match="not an IDX file"):
        mnist_standard.read_idx(file)


def archive(names: list[str]) -> tuple[bytes, list[np.ndarray]]:
    """A small archive in the layout of CIFAR-10, and its images (4, 32, 32, 3) a batch."""
    rng, content, images = np.random.default_rng(1), io.BytesIO(), []
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in names:
            batch = rng.integers(256, size=(4, 32, 32, 3), dtype=np.uint8)
            planes = batch.transpose(0, 3, 1, 2).reshape(4, -1)
            data = pickle.dumps({b"data": planes, b"labels": [len(images), 9, 0, 3]})
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            images.append(batch)
    return content.getvalue(), images


BATCHES = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]


def test_cifar10_from_its_archive(server, monkeypatch) -> None:
    address, folder = server
    content, images = archive(BATCHES)
    (folder / "cifar.tar.gz").write_bytes(content)
    monkeypatch.setattr(cifar10, "MD5", md5(content))
    monkeypatch.setattr(cifar10, "URL", address + "cifar.tar.gz")
    found = cifar10.cifar10()
    np.testing.assert_array_equal(found.train, np.concatenate(images[:5]))
    np.testing.assert_array_equal(found.test, images[5])
    assert found.train_labels[::4].tolist() == [0, 1, 2, 3, 4]
    assert found.test_labels.tolist() == [5, 9, 0, 3]


def test_an_archive_without_a_batch(tmp_path) -> None:
    file = tmp_path / "cifar.tar.gz"
    file.write_bytes(archive(BATCHES[:-1])[0])
    with pytest.raises(StorageError, match="no test_batch; it must be cifar-10-python"):
        cifar10.read_archive(file)


def test_missing_cifar10_names_the_archive(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/x")
    with pytest.raises(StorageError, match="put it at") as caught:
        cifar10.cifar10()
    assert str(tmp_path / "mine" / "cifar10" / "cifar-10-python.tar.gz") in str(caught.value)
