# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Alternation, medians, errors, and the whole machinery on small networks."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pytest

from perceiver_bench.benchmark import speed, table
from perceiver_bench.benchmark.process import Worker
from perceiver_bench.benchmark.speed import Contestant, Timing
from perceiver_bench.commands.benchmark import benchmark
from perceiver_bench.errors import UserError
from perceiver_bench.model.presets import OFFICIAL, preset

FACTS = {
    "operations": {"plain": 6_000_000_000, "executed": 3_000_000_000},
    "compile_seconds": 7.0,
}
# Writes its name into a file at every run; dies in the run after `lives`.
FAKE = """
import json, sys
import numpy as np
name, lives, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a")
print(json.dumps({"operations": {"executed": 3e9, "plain": 6e9}}), flush=True)
for line in sys.stdin:
    if line == "run\\n":
        lives -= 1
        if lives < 0:
            sys.exit("broke down")
        print(name, file=log, flush=True)
    if line.startswith("outputs "):
        np.savez(line[8:-1], flow=np.array([0.0, 2.0]) + lives)
    print(json.dumps({"seconds": 0.5, "peak_bytes": 9}), flush=True)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fake(Contestant):
    name: str
    log: str
    lives: int = 99

    def command(self):
        return [sys.executable, "-c", FAKE, self.name, str(self.lives), self.log]


@pytest.fixture
def fakes(tmp_path):
    """Makes a fake contestant that logs its runs, and returns what all of them logged."""
    log = tmp_path / "log"

    def fake(name, rounds, **changes):
        return Fake(
            implementation="ours",
            config=preset("flow_tiny"),
            rounds=rounds,
            name=name,
            log=str(log),
            **changes,
        )

    return fake, lambda: log.read_text().split()


def test_contestants_run_in_turn_and_the_product_after_them(fakes):
    fake, logged = fakes
    group = {"ours": fake("ours", 3), "baseline": fake("baseline", 1)}
    with Worker(fake("product", 9).command()) as matmul:
        timings, rate = speed.alternate(group, matmul, "test")
    assert logged() == ["ours", "baseline", "product", "ours", "product", "ours", "product"]
    assert timings["ours"].seconds == [0.5] * 3
    assert timings["baseline"].seconds == [0.5]
    assert timings["ours"].peak_bytes == 9
    assert rate == pytest.approx(3e9 / 0.5 / 1e9)


def test_another_contestant_is_first_in_every_round(fakes):
    fake, logged = fakes
    group = {name: fake(name, 3) for name in ("a", "b", "c")}
    with Worker(fake("|", 9).command()) as matmul:
        speed.alternate(group, matmul, "test")
    assert "".join(logged()) == "abc|bca|cab|"


def test_a_contestant_that_breaks_down_is_left_out_and_the_others_go_on(fakes):
    fake, logged = fakes
    group = {"ours": fake("ours", 3), "baseline": fake("baseline", 3, lives=1)}
    with Worker(fake("product", 9).command()) as matmul:
        timings, _ = speed.alternate(group, matmul, "test")
    assert logged() == ["ours", "baseline", "product", "ours", "product", "ours", "product"]
    assert timings["baseline"] == Timing(failure="broke down")
    row = speed.make_row("forward", "flow_tiny", timings, 100.0)
    assert row["seconds"] == 0.5
    for name in ("baseline_seconds", "baseline_peak_bytes", "ratio"):
        assert row[name] is None
    assert row["not_measured"] == {"baseline": "broke down"}


def test_a_row_holds_medians_and_the_median_of_the_ratios():
    timings = {
        "ours": Timing(seconds=[1.0, 2.0, 10.0], peak_bytes=5, facts=FACTS),
        "plain": Timing(seconds=[4.0, 5.0, 6.0], peak_bytes=6),
        "baseline": Timing(seconds=[3.0, 8.0, 10.0], peak_bytes=8),
    }
    row = speed.make_row("forward", "flow", timings, 150.0)
    assert row == {
        "model": "flow",
        "seconds": 2.0,
        "baseline_seconds": 8.0,
        "ratio": 3.0,  # of 3/1, 8/2 and 10/10; the ratio of the medians would be 4
        "peak_bytes": 5,
        "baseline_peak_bytes": 8,
        "matmul_gflops": 150.0,
        "model_gflop": 6.0,
        "executed_gflop": 3.0,
        "share": 3.0 / 2.0 / 150.0,
        "compile_seconds": 7.0,
        "plain_seconds": 5.0,
        "plain_peak_bytes": 6,
        "rounds": {
            "ours": [1.0, 2.0, 10.0],
            "plain": [4.0, 5.0, 6.0],
            "baseline": [3.0, 8.0, 10.0],
        },
        "not_measured": {},
    }


def test_a_baseline_of_one_round_is_held_against_that_round():
    ours = Timing(seconds=[2.0, 1.0, 1.0], facts=FACTS)
    timings = {"ours": ours, "baseline": Timing(seconds=[6.0])}
    assert speed.make_row("forward", "multimodal", timings, 1.0)["ratio"] == 3.0


def test_errors_are_relative_to_the_deviation():
    due = {"flow": np.array([0.0, 4.0], np.float32)}  # deviation 2
    found = {"flow": np.array([1.0, 4.0], np.float32)}  # rms error sqrt(1 / 2)
    assert speed.relative_errors(found, due) == {"flow": pytest.approx(np.sqrt(0.5) / 2)}


def test_the_multimodal_baseline_runs_once_unless_rounds_are_given():
    for model in OFFICIAL:
        group = speed.contestants("forward", model, None)
        due = 1 if model == "multimodal" else 5
        rounds = {name: contestant.rounds for name, contestant in group.items()}
        assert rounds == {"ours": 5, "plain": 5, "baseline": due}
    assert speed.contestants("forward", "multimodal", 2)["baseline"].rounds == 2


def test_bfloat16_is_held_against_our_own_float32():
    group = speed.contestants("bfloat16", "flow", 2)
    assert [one.implementation for one in group.values()] == ["ours", "ours"]
    assert group["ours"].config.dtype == "bfloat16"
    assert group["baseline"].config == preset("flow")


def test_what_transformers_lacks_is_told_without_a_process():
    contestant = speed.contestants("train", "multimodal", 1)["baseline"]
    with pytest.raises(UserError, match="in one call"):
        contestant.command()
    contestant = speed.contestants("forward", "flow_light_tiny", 1)["baseline"]
    with pytest.raises(UserError):
        contestant.command()


def test_growth_scales_the_area_of_the_frames(monkeypatch):
    seen = []

    def alternate(group, matmul, label):
        del matmul, label
        seen.append(group["ours"].config.input)
        return {"ours": Timing(seconds=[1.0], peak_bytes=1, facts=FACTS)}, 1.0

    monkeypatch.setattr(speed, "alternate", alternate)
    rows = list(speed._grow(["flow"], 1, None))
    areas = [row["pixels"] for row in rows]
    assert areas == [inputs.size[0] * inputs.size[1] for inputs in seen]
    # In patches of 8 the sides are rounded by up to 2 % of the area.
    assert np.array(areas) / (368 * 496) == pytest.approx([0.25, 0.5, 1, 2, 4], rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        ({"job": "forwards"}, "--job=forwards"),
        ({"models": ["flaw"]}, "--model=flaw"),
        ({"rounds": 0}, "--rounds=0"),
        ({"job": "growth", "models": ["language"]}, "--model=language"),
        ({"outputs": pathlib.Path("/dev/null/results")}, "--outputs=/dev/null"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments, flag, monkeypatch):
    monkeypatch.setattr(speed, "Worker", None)
    with pytest.raises(UserError, match=flag):
        benchmark(**arguments)


def test_bfloat16_is_left_out_where_the_processor_lacks_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(table, "has_bfloat16", lambda: False)
    assert benchmark(job="bfloat16", outputs=tmp_path) == 0
    assert "avx512_bf16" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_command_fails_if_ours_is_not_measured(monkeypatch, tmp_path):
    row = speed.make_row("forward", "flow", {"ours": Timing(failure="broke down")}, 1.0)
    monkeypatch.setattr(speed, "measure", lambda *_: [row])
    assert benchmark(outputs=tmp_path) == 1
    assert "- flow, ours: broke down" in next(tmp_path.glob("*.md")).read_text()


def test_bfloat16_rows_hold_the_errors_of_the_outputs(fakes, monkeypatch):
    fake, _ = fakes
    # After one run each the outputs differ by 1 everywhere; their deviation is 1.
    group = {"ours": fake("ours", 1, lives=10), "baseline": fake("baseline", 1, lives=11)}
    monkeypatch.setattr(speed, "contestants", lambda *_: group)
    monkeypatch.setattr(speed, "worker_command", lambda _: fake("product", 9).command())
    (row,) = speed.measure("bfloat16", ["flow_tiny"], 1)
    assert row["errors"] == {"flow": pytest.approx(1)}


def test_forward_through_the_whole_machinery(monkeypatch, tmp_path, capsys):
    # Optimising small networks takes longer than running them.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    assert benchmark(models=["imagenet_learned_tiny"], rounds=1, outputs=tmp_path) == 0
    (path,) = tmp_path.glob("*.json")
    assert path.name.startswith("speed_forward_")
    document = json.loads(path.read_text())
    (row,) = document["rows"]
    measured = ["seconds", "peak_bytes", "matmul_gflops", "model_gflop", "executed_gflop"]
    measured += ["share", "compile_seconds", "plain_seconds", "plain_peak_bytes"]
    if document["versions"]["transformers"] and document["versions"]["torch"]:
        assert row["not_measured"] == {}
        measured += ["baseline_seconds", "ratio", "baseline_peak_bytes"]
    assert {name: row[name] for name in measured if not row[name] or row[name] <= 0} == {}
    # A process with its libraries holds more than 50 MB and, for these, less than 4 GB.
    assert 50e6 < row["peak_bytes"] < 4e9
    text = path.with_name(path.name.removesuffix("json") + "md").read_text()
    assert text == capsys.readouterr().out.removesuffix("\n")
    assert "| imagenet_learned_tiny |" in text
