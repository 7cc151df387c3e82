"""One thread, and the study of trials as a module."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(STUDIES))
    spec = importlib.util.spec_from_file_location("scale_up", STUDIES / "scale_up.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_up"] = module  # dataclasses ask for it
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(STUDIES))
    sys.modules.pop("scale_up", None)  # a study loaded meanwhile may have made room
