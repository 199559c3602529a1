# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=check`: the regression gate for CI, and the writing of its baselines."""

import os
import pathlib
from collections.abc import Sequence

from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.results import gate, junit, proposals, verdicts

_SUMMARY = "GITHUB_STEP_SUMMARY"  # GitHub names here the file that its page of a run shows


def check(
    baseline_file: pathlib.Path,
    *,
    results_dir: pathlib.Path,
    tasks: Sequence[str] = (),
    junit_file: pathlib.Path | None = None,
) -> int:
    """Prints what became of the expectations of a baseline file and returns the exit code.

    The report goes to `junit_file` as JUnit XML too, and is appended to the file that the
    environment variable GITHUB_STEP_SUMMARY names. With `tasks` only their expectations count.

    Returns:
        0 if all metrics are within tolerance, 1 if any is out of it, else 2 if any is not
        comparable.

    Raises:
        UserError: if the file or a record is broken, or a report cannot be written.
    """
    report = gate.check(baseline_file, results_dir, tasks)
    print(verdicts.to_text(report), end="")
    if junit_file is not None:
        write_atomically(junit_file, junit.to_xml(report))
    if summary := os.environ.get(_SUMMARY):
        try:
            with pathlib.Path(summary).open("a", encoding="utf-8") as file:
                file.write(verdicts.to_markdown(report))
        except OSError as error:
            raise UserError(
                f"{_SUMMARY}={summary}: cannot be written: {error.strerror or error}; name another"
                " file or unset the variable"
            ) from error
    return report.exit_code


def write_baseline(
    baseline_file: pathlib.Path, *, results_dir: pathlib.Path, tasks: Sequence[str] = ()
) -> int:
    """Writes a baseline file from the newest records, of `tasks` or all; says what it lacks.

    Raises:
        UserError: if the file exists, or there is nothing to write.
    """
    left_out = proposals.write_baseline(results_dir, tasks, baseline_file)
    for words in left_out:
        print(f"left out: {words}")
    print(f"{baseline_file}: written; read it, and say in every `why` what you know of the number")
    return 0
