# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of this process: the most it has held, and giving back what it has freed."""

import contextlib
import ctypes
import gc
import os
import pathlib
import resource
import sys


def peak_bytes() -> int:
    """Returns the most memory that this process has held at once, in bytes.

    On Linux `ru_maxrss` begins with what the parent held when it started this process;
    VmHWM does not.
    """
    with contextlib.suppress(OSError, IndexError):
        status = pathlib.Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def total_bytes() -> int:
    """Returns the memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def release() -> None:
    """Gives freed memory back to the system, where the C library can.

    Compiling a network takes some 100 MB in small pieces, which glibc keeps for itself.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
