# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=benchmark`: speed and memory of ours beside transformers, in one run."""

import datetime
import json
import pathlib
import sys
from collections.abc import Sequence

from perceiver_bench.benchmark import speed, table
from perceiver_bench.commands.setup import writable_folder
from perceiver_bench.files import write_atomically
from perceiver_bench.results.environment import git_state

RESULTS = pathlib.Path("benchmarks/results")


def benchmark(
    *,
    job: str = "forward",
    models: Sequence[str] = (),
    rounds: int | None = None,
    outputs: pathlib.Path = RESULTS,
) -> int:
    """Measures, writes a JSON file and a Markdown table into `outputs`, prints the table.

    Args:
        job: `forward`, `train`, `growth` or `bfloat16`.
        models: Names of networks; if empty the six official ones, for growth `flow`.
        rounds: How often each implementation runs; five by default.
        outputs: The folder; the files are named for job, hardware and versions.

    Returns:
        The exit code: 0, or 1 if one of our own networks could not be measured.

    Raises:
        UserError: for an unknown job or model, or a folder that cannot be written.
    """
    speed.check(job, models, rounds)
    if job == "bfloat16" and not table.has_bfloat16():
        print("bfloat16: left out, for this processor has neither avx512_bf16 nor amx_bf16")
        return 0
    outputs = writable_folder(outputs, "outputs")  # before all the work, not after it
    rows = list(speed.measure(job, models, rounds))
    document = {
        "job": job,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": table.hardware(),
        "versions": table.versions(),
        "git": git_state(),
        "rows": rows,
    }
    text = table.markdown(document)
    path = outputs / table.file_stem(document)
    for suffix, content in ((".json", json.dumps(document, indent=1) + "\n"), (".md", text)):
        # The name holds dots, so that `with_suffix` would cut a version.
        write_atomically(path.with_name(path.name + suffix), content.encode())
    print(text)
    print(f"written: {path}.json and .md", file=sys.stderr)
    return int(any(row["seconds"] is None for row in rows))
