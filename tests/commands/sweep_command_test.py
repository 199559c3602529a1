# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Sweeps and seeds: what is trained, in which folder, once, and what is said at the end."""

import dataclasses
import json
import os
import shutil
import signal
import statistics

import pytest
import tiny_runs
from tiny_runs import TASK, complaint

from perceiver_bench import registry
from perceiver_bench.commands import sweep as sweep_module
from perceiver_bench.commands import train as train_module
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.commands.sweep import sweep
from perceiver_bench.errors import UserError
from perceiver_bench.results import record
from perceiver_bench.train import checkpoint, loop

GRID = {
    "train.batch_size": ("8", "16"),
    "train.optimizer.learning_rate": ("1e-3", "1e-4"),
}
SETTINGS = [
    f"batch_size={size},learning_rate={rate}"
    for size in GRID["train.batch_size"]
    for rate in GRID["train.optimizer.learning_rate"]
]
CHANGES = ("model.encoder.num_latents=4", "model.dropout=0.1")  # beside the grid
NOTES = """
± is the sample standard deviation over seeds.

The best setting is chosen on the dev set, on which it is measured too: the paper's protocol, which\
 flatters.
"""


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    """The tasks by name; the one there is has a grid of two by two."""
    named = {TASK: dataclasses.replace(registry.get(TASK), sweep=GRID)}
    monkeypatch.setattr(registry, "get", lambda name: named[name])
    monkeypatch.setattr(registry, "names", lambda: tuple(named))
    return named


@pytest.fixture(scope="module")
def template(base):
    """What `record.write` takes, from a real evaluation."""
    path = evaluate(
        TASK,
        checkpoint_name="baseline:majority",
        data_dir=tiny_runs.data_dir(base),
        results_dir=base / "template",
    )
    fields = json.loads(path.read_text())
    return {name: value for name, value in fields.items() if name not in record._DERIVED}


@dataclasses.dataclass
class Fake:
    """Stands for training and evaluation: writes records of given accuracies.

    `accuracy` is by setting and seed, 50 where it is not given; None is a loss that is not
    finite. Training number `stop_at`, from 1, is interrupted.
    """

    template: dict
    accuracy: dict = dataclasses.field(default_factory=dict)
    stop_at: int | None = None
    trained: list = dataclasses.field(default_factory=list)
    evaluated: list = dataclasses.field(default_factory=list)

    def train(
        self, task_name, *, preset, changes, data_dir, workdir, init, seed, results_dir, mesh=None
    ):
        assert mesh is None
        assert data_dir.is_dir()
        self.trained.append(workdir)
        if len(self.trained) == self.stop_at:
            raise loop.Interrupted("stopped by SIGTERM; saved step 3")
        values = dict(change.split("=") for change in changes)
        setting = ",".join(f"{field.split('.')[-1]}={values.get(field)}" for field in GRID)
        if (accuracy := self.accuracy.get((setting, seed), 50.0)) is None:
            raise loop.NotFinite("the loss at step 2 is nan")
        fields = {"preset": preset, "overrides": list(changes), "seed": seed}
        return self.write(task_name, accuracy, results_dir, init=init and str(init), **fields)

    def evaluate(self, task_name, *, checkpoint_name, data_dir, results_dir):
        assert data_dir.is_dir()
        self.evaluated.append((task_name, checkpoint_name))
        return self.write(task_name, 40.0, results_dir, preset="tiny")

    def write(self, task_name, accuracy, results_dir, **fields):
        metrics = json.loads(json.dumps(self.template["metrics"]))
        metrics["accuracy"]["value"] = accuracy
        where = {"path": "w", "step": 3, "digest": "ab", "format": "orbax"}
        fields = {"task": task_name, "metrics": metrics, "checkpoint": where, **fields}
        return record.write(self.template | fields, results_dir)


@pytest.fixture
def fake(template, monkeypatch):
    one = Fake(template)
    monkeypatch.setattr(sweep_module, "train", one.train)
    monkeypatch.setattr(sweep_module, "evaluate", one.evaluate)
    return one


@pytest.fixture
def start(base, tmp_path):
    """Starts a sweep in `tmp_path`."""

    def go(*, over_settings=True, num_seeds=1, changes=CHANGES, **options):
        return sweep(
            [TASK],
            over_settings=over_settings,
            num_seeds=num_seeds,
            changes=changes,
            **{
                "preset": "tiny",
                "data_dir": tiny_runs.data_dir(base),
                "workdir": tmp_path / "w",
                "results_dir": tmp_path / "r",
                **options,
            },
        )

    return go


def folders(fake, tmp_path):
    return [str(path.relative_to(tmp_path / "w" / "glue_sst2")) for path in fake.trained]


def test_every_setting_and_seed_is_trained_once_and_shown(fake, start, tmp_path):
    """Means and sample deviations of 60 and 62, 70 and 74, 50 and 50, 80 and 60."""
    pairs = ((60.0, 62.0), (70.0, 74.0), (50.0, 50.0), (80.0, 60.0))
    for setting, pair in zip(SETTINGS, pairs, strict=True):
        fake.accuracy |= {(setting, seed): value for seed, value in zip((4, 5), pair, strict=True)}
    text = start(num_seeds=2, seed=4)
    assert folders(fake, tmp_path) == [
        f"{setting}/seed{seed}" for setting in SETTINGS for seed in (4, 5)
    ]
    assert text == (
        "glue/sst2, tiny; model.encoder.num_latents=4; model.dropout=0.1, dev set\n\n"
        "| batch_size | learning_rate | accuracy (%) ↑ | 95 % t-interval | best seed | seeds |  |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 8 | 1e-3 | 61.00 ± 1.41 | 48.29 to 73.71 | 62.00 | 2 of 2 |  |\n"
        "| 8 | 1e-4 | 72.00 ± 2.83 | 46.59 to 97.41 | 74.00 | 2 of 2 | best |\n"
        "| 16 | 1e-3 | 50.00 ± 0.00 | 50.00 to 50.00 | 50.00 | 2 of 2 |  |\n"
        "| 16 | 1e-4 | 70.00 ± 14.14 | -57.06 to 197.06 | 80.00 | 2 of 2 |  |\n" + NOTES
    )
    found = record.read_all(tmp_path / "r")
    assert sorted((one.overrides, one.seed) for one in found) == sorted(
        ((*CHANGES, f"train.batch_size={size}", f"train.optimizer.learning_rate={rate}"), seed)
        for size in ("8", "16")
        for rate in ("1e-3", "1e-4")
        for seed in (4, 5)
    )
    assert {one.preset for one in found} == {"tiny"}


def test_an_interrupted_sweep_goes_on_with_what_is_not_finished(fake, start, tmp_path):
    straight = start(workdir=tmp_path / "straight", results_dir=tmp_path / "s")
    fake.trained.clear()
    for stop_at, before in ((2, 0), (3, 1), (1, 3), (None, 3)):
        fake.stop_at = stop_at
        if stop_at:
            with pytest.raises(loop.Interrupted):
                start()
        else:
            assert start() == straight
        expected = [f"{setting}/seed0" for setting in SETTINGS[before:]][:stop_at]
        assert folders(fake, tmp_path) == expected
        fake.trained.clear()
    assert start() == straight
    assert fake.trained == []
    assert len(record.read_all(tmp_path / "r")) == 4


def test_more_seeds_later_train_only_those(fake, start, tmp_path):
    start(over_settings=False, num_seeds=1)
    fake.accuracy = {("batch_size=None,learning_rate=None", 2): 56.0}
    text = start(over_settings=False, num_seeds=3)
    assert folders(fake, tmp_path) == ["seed0", "seed1", "seed2"]
    assert "| 52.00 ± 3.46 | 43.39 to 60.61 | 56.00 | 3 of 3 |  |" in text
    assert "best setting" not in text


def test_a_run_without_its_record_is_not_finished(fake, start, tmp_path):
    start()
    mark = tmp_path / "w" / "glue_sst2" / SETTINGS[2] / "seed0" / "finished.json"
    run_id = json.loads(mark.read_text())["records"][TASK]
    fake.trained.clear()
    (tmp_path / "r" / "records" / TASK / f"{run_id}.json").unlink()
    start()
    assert folders(fake, tmp_path) == [f"{SETTINGS[2]}/seed0"]
    fake.trained.clear()
    start(results_dir=tmp_path / "other")
    assert len(fake.trained) == 4


def test_a_setting_that_does_not_stay_finite_is_passed_over_and_never_best(fake, start, tmp_path):
    fake.accuracy = {(SETTINGS[0], 0): None, (SETTINGS[0], 1): 99.0}
    fake.accuracy |= {(SETTINGS[1], seed): None for seed in (0, 1)}
    fake.accuracy |= {(SETTINGS[3], seed): 60.0 for seed in (0, 1)}
    text = start(num_seeds=2)
    assert len(fake.trained) == 8
    assert "| 8 | 1e-3 | 99.00 |  | 99.00 | 1 of 2 |  |" in text
    assert "| 8 | 1e-4 |  |  |  | 0 of 2 |  |" in text
    assert "| 16 | 1e-4 | 60.00 ± 0.00 | 60.00 to 60.00 | 60.00 | 2 of 2 | best |" in text
    assert "Seeds that are missing ended in numbers that are not finite." in text
    assert not (tmp_path / "w" / "glue_sst2" / SETTINGS[1] / "seed0" / "finished.json").exists()


def test_no_finite_run_at_all_is_an_error(fake, start):
    fake.accuracy = {(setting, 0): None for setting in SETTINGS}
    with pytest.raises(UserError, match="glue/sst2: no run ended with finite numbers; lower"):
        start()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"changes": (*CHANGES, "train.steps=9")}, "train.steps=600, not 9"),
        ({"init": "mlm"}, "init=None, not mlm"),
        ({"data_dir": "other"}, "data.bytes="),
    ],
)
def test_the_finished_run_of_another_sweep_is_refused(options, field, fake, start, base, tmp_path):
    start()
    if "data_dir" in options:
        options["data_dir"] = shutil.copytree(tiny_runs.data_dir(base), tmp_path / "data")
        lines = (tmp_path / "data" / "SST-2" / "train.tsv").read_text().splitlines(keepends=True)
        (tmp_path / "data" / "SST-2" / "train.tsv").write_text("".join(lines[:-1]))
    with pytest.raises(UserError, match=f"--workdir=.*seed0 holds a run with {field}"):
        start(**options)
    assert len(fake.trained) == 4


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"identity": 1, "run": 2, "records": 3}'])
def test_a_damaged_mark_is_named(content, fake, start, tmp_path):
    start()
    mark = tmp_path / "w" / "glue_sst2" / SETTINGS[0] / "seed0" / "finished.json"
    mark.write_text(content)
    with pytest.raises(UserError, match=rf"{mark}: not the mark of a finished run; remove it"):
        start()
    assert len(fake.trained) == 4


def test_tasks_that_are_trained_as_this_one_are_evaluated_with_it(fake, start, tasks, tmp_path):
    tasks["glue/other"] = dataclasses.replace(tasks[TASK], name="glue/other", trained_as=TASK)
    text = start()
    workdirs = [str(path) for path in fake.trained]
    assert fake.evaluated == [("glue/other", workdir) for workdir in workdirs]
    assert text.count("| best |") == 2
    assert text.index("glue/sst2, tiny") < text.index("glue/other, tiny") < text.index("40.00")
    assert start() == text
    assert len(fake.trained) == 4
    next((tmp_path / "r" / "records" / "glue" / "other").iterdir()).unlink()
    start()
    assert len(fake.trained) == 5


def test_names_of_folders_are_safe_and_whole_where_short_ones_clash(fake, start, tasks, tmp_path):
    grid = {"data.model": ("", "../a b/c"), "model.dropout": ("0.1",)}
    tasks[TASK] = dataclasses.replace(tasks[TASK], sweep=grid)
    start(changes=())
    assert folders(fake, tmp_path) == [
        "model=,dropout=0.1/seed0",
        "model=..%2Fa%20b%2Fc,dropout=0.1/seed0",
    ]
    grid = {"model.dropout": ("0.1",), "train.optimizer.b1": ("0.9",), "model.head.b1": ("1",)}
    tasks[TASK] = dataclasses.replace(tasks[TASK], sweep=grid | {"train.steps": ("1",)})
    with pytest.raises(UserError, match="has no field 'b1'"):  # told before anything is trained
        start(changes=())
    assert len(fake.trained) == 2


def test_what_a_person_can_get_wrong(fake, base, tasks, tmp_path, capfd):
    def told(*flags, task=TASK):
        values = {"data_dir": tiny_runs.data_dir(base), "workdir": tmp_path / "w", "task": task}
        return complaint(capfd, "--mode=train", *tiny_runs.as_flags(**values), *flags)

    assert told("--sweep", "--set=train.batch_size=4") == (
        "--set=train.batch_size=4: --sweep tries this field itself; leave out one of the two"
    )
    assert "flag --seeds=0: 0 is not a positive integer" in told("--seeds=0")
    tasks["glue/other"] = dataclasses.replace(tasks[TASK], name="glue/other", trained_as=TASK)
    assert told("--sweep", task="glue/other").startswith(
        "--task=glue/other: is trained as glue/sst2, whose runs evaluate it too; give"
    )
    tasks[TASK] = dataclasses.replace(tasks[TASK], sweep={})
    assert told("--sweep").startswith("--sweep: glue/sst2 names no settings to try")
    assert fake.trained == []


def test_the_command_line_takes_several_tasks(fake, base, tasks, tmp_path, capsys):
    tasks["glue/other"] = dataclasses.replace(tasks[TASK], name="glue/other")
    places = {"workdir": tmp_path / "w", "results_dir": tmp_path / "r"}
    flags = tiny_runs.as_flags(data_dir=tiny_runs.data_dir(base), set=CHANGES, seeds=2, **places)
    code, output, _ = tiny_runs.command(
        capsys, "--mode=train", f"--task={TASK},glue/other", "--preset=tiny", *flags
    )
    assert code == 0
    assert [path.relative_to(tmp_path / "w").as_posix() for path in fake.trained] == [
        f"{task}/seed{seed}" for task in ("glue_sst2", "glue_other") for seed in (0, 1)
    ]
    assert output.count("| 50.00 ± 0.00 | 50.00 to 50.00 | 50.00 | 2 of 2 |  |") == 2


def test_a_real_sweep_stopped_in_its_second_run_and_resumed(start, tmp_path, monkeypatch):
    """With the program of every tiny run, so that it is compiled once."""
    make = train_module.make_train_step
    steps = []

    def with_signal(*arguments):
        take = make(*arguments)

        def run_step(state, batch):
            steps.append(int(state.step) + 1)
            if len(steps) == tiny_runs.STEPS + 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return take(state, batch)

        return run_step

    monkeypatch.setattr(train_module, "make_train_step", with_signal)
    options = {"over_settings": False, "num_seeds": 2, "changes": tiny_runs.CHANGES}
    with pytest.raises(loop.Interrupted, match=r"saved step 2 in .*seed1"):
        start(**options)
    every = [*range(1, tiny_runs.STEPS + 1)]
    assert steps == [*every, 1, 2]
    first = tmp_path / "w" / "glue_sst2" / "seed0"
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    text = start(**options)
    assert steps == [*every, *every]
    assert before == {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    found = record.read_all(tmp_path / "r")
    assert [(one.seed, one.checkpoint["step"]) for one in found] == [(0, 12), (1, 12)]
    assert found[0].checkpoint["digest"] != found[1].checkpoint["digest"]
    values = [one.metrics["accuracy"].value for one in found]
    assert f"| {statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} |" in text
    mark = json.loads((first / "finished.json").read_text())
    assert mark["records"] == {TASK: found[0].run_id}
    saved = checkpoint.read_metadata(first / "checkpoints" / "12")
    assert (mark["identity"], mark["run"]) == (saved["identity"], saved["run"])
