# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.model.weights import huggingface


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles")


@pytest.fixture(scope="session")
def saved_flow(tmp_path_factory):
    """A Hugging Face folder of the small flow network. Nobody may change it."""
    path = tmp_path_factory.mktemp("saved") / "flow"
    huggingface.save(path, random_weights(RELEASED_SMALL["flow"]))
    return path


@pytest.fixture
def flow_folder(saved_flow, tmp_path):
    """A copy of `saved_flow` that a test may change."""
    return shutil.copytree(saved_flow, tmp_path / "flow")
