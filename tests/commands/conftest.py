# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import tiny_runs


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A folder for what the tests of a session share."""
    folder = tmp_path_factory.getbasetemp()
    with tiny_runs.compiling_once(folder):
        yield folder
