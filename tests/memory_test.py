# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The peak of a process of its own, and giving memory back."""

import ctypes
import json
import pathlib
import platform
import subprocess
import sys

import numpy as np
import pytest

from perceiver_bench import memory

SIZE = 2**27

PEAK = f"""
import json, mmap
from perceiver_bench.memory import peak_bytes
peaks = [peak_bytes()]
for _ in range(2):
    block = mmap.mmap(-1, {SIZE}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    peaks.append(peak_bytes())
    for half in (slice(0, {SIZE // 2}, 4096), slice({SIZE // 2}, {SIZE}, 4096)):
        block[half] = bytes(len(block[half]))
        peaks.append(peak_bytes())
    block.close()
print(json.dumps(peaks))
"""

# Pieces too large for Python's own pools and too small to be mapped one by one; the last one
# stays, so that the heap cannot shrink from its end.
RELEASE = """
import json, pathlib
from perceiver_bench.memory import release
def resident():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024
pieces = [bytes([i % 255 + 1]) * 10_000 for i in range(10_000)]
last = pieces.pop()
del pieces
before = resident()
release()
print(json.dumps([before, resident(), last[:3] == last[-3:]]))
"""


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not done.stderr
    return json.loads(done.stdout)


def test_the_peak_grows_by_what_is_touched_at_once():
    start, *peaks = run(PEAK)
    due = [0, SIZE / 2, SIZE, SIZE, SIZE, SIZE]
    assert [peak - start for peak in peaks] == pytest.approx(due, abs=SIZE / 16)


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/status").exists(), reason="only Linux has a peak per process"
)
def test_the_peak_is_not_that_of_the_parent():
    touched = np.ones(SIZE, np.uint8)
    assert run(PEAK)[0] < touched.size < memory.peak_bytes()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed")
def test_release_gives_freed_memory_back():
    before, after, is_intact = run(RELEASE)
    assert before - after > 50e6
    assert is_intact


def test_release_harms_nothing(monkeypatch):
    array = np.arange(1_000_000)
    memory.release()
    memory.release()
    assert array.sum() == 499_999_500_000

    def without_library(name):
        raise OSError(name)

    # As on a system whose C library has no such function.
    monkeypatch.setattr(ctypes, "CDLL", without_library)
    memory.release()
