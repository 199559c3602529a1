# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A robot's agent by the command line: demonstrations, training, trials, films."""

import csv
import json

import pytest
import tiny_runs

CHANGES = (
    *("data.num_demonstrations=2", "data.num_episodes=2", "data.max_keyframes=3"),
    *("data.size=6", "model.input.size=6", "data.image_size=16"),
    *("train.steps=2", "train.batch_size=2", "train.optimizer.warmup_steps=1"),
    *("train.evaluate_every=1", "train.checkpoint_every=1"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("agent")


@pytest.fixture(scope="module")
def flags(folder):
    return ["--preset=tiny", *tiny_runs.as_flags(set=CHANGES, results_dir=folder / "r")]


def records(folder, task):
    return [
        json.loads(path.read_text())
        for path in sorted((folder / "r" / "records" / task).glob("*.json"))
    ]


@pytest.mark.usefixtures("base")
def test_from_nothing_to_films(folder, flags, capsys):
    agent = f"--workdir={folder / 'w'}"
    code, _, errors = tiny_runs.command(
        capsys, "--mode=train", "--task=rlbench/embedded", agent, *flags
    )
    assert code == 2
    assert errors[-1].startswith("perceiver-bench: --data_dir: training needs demonstrations")

    made = folder / "data"
    code, _, errors = tiny_runs.command(
        capsys, "--mode=prepare", "--task=rlbench/embedded", f"--outputs={made}", *flags
    )
    assert (code, errors) == (0, [])
    again = tiny_runs.command(
        capsys, "--mode=prepare", "--task=rlbench/embedded", f"--outputs={made}", *flags
    )
    assert again[0] == 2
    assert "episode0: exists" in again[2][-1]

    code, output, _ = tiny_runs.command(
        capsys, "--mode=train", "--task=rlbench/embedded", f"--data_dir={made}", agent, *flags
    )
    assert code == 0
    (trained,) = records(folder, "rlbench/embedded")
    curve = {row["step"]: row["success_rate"] for row in trained["learning_curve"]}
    assert trained["metrics"]["success_rate"]["value"] == curve[2]
    assert "which means other data, another simulator or other rules" in output

    # The test split needs no files, and its episodes are others.
    task = ["--task=rlbench/embedded_test", f"--checkpoint={folder / 'w'}"]
    code, output, _ = tiny_runs.command(
        capsys, "--mode=evaluate", *task, f"--results_dir={folder / 'r'}"
    )
    assert code == 0
    (tested,) = records(folder, "rlbench/embedded_test")
    assert tested["dataset"]["sha256"] != trained["dataset"]["sha256"]
    found = tested["metrics"]["success_rate"]
    low, high = found["interval"]
    assert found["n"] == 2
    assert low <= found["value"] <= high
    assert f"[{low:.2f}, {high:.2f}]" in output
    shares = [
        tested["metrics"][f"{cause}_failures"] for cause in ("planner", "wrong_object", "time")
    ]
    assert found["value"] + sum(one["value"] for one in shares) == pytest.approx(100)

    films = folder / "films"
    code, _, _ = tiny_runs.command(capsys, "--mode=predict", *task, f"--outputs={films}")
    assert code == 0
    with (films / "episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 100 * sum(int(row["success"]) for row in rows) / len(rows) == found["value"]
    names = [f"{row['task']}_variation{row['variation']}_seed{row['seed']}" for row in rows]
    for name in names:
        assert (films / "videos" / f"{name}.mp4").stat().st_size > 1000
        assert (films / "strips" / f"{name}.png").stat().st_size > 1000


def test_rlbench_itself_says_what_is_missing(folder, flags, capsys, monkeypatch):
    monkeypatch.delenv("COPPELIASIM_ROOT", raising=False)
    code, _, errors = tiny_runs.command(
        capsys,
        *("--mode=evaluate", "--task=rlbench/peract18_test"),
        *(f"--checkpoint={folder / 'nothing'}", f"--data_dir={folder}", *flags),
    )
    assert code == 2
    assert len(errors) == 1
