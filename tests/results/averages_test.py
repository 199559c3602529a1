# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import pathlib

import perceiver_bench.tasks
import pytest

from perceiver_bench import registry
from perceiver_bench.report import paper_rows
from perceiver_bench.results import averages, reported
from perceiver_bench.results.averages import Score
from perceiver_bench.results.record import MetricValue
from perceiver_bench.task import Average

PAPER, LEADERBOARD = registry.averages()
# Every score of GLUE, chosen so that the averages can be worked by hand.
GLUE = {
    "cola": {"matthews_correlation": 50.0, "accuracy": 80.0},
    "mnli_matched": {"accuracy": 80.0},
    "mnli_mismatched": {"accuracy": 84.0},
    "mrpc": {"accuracy": 86.0, "f1": 90.0},
    "qnli": {"accuracy": 90.0},
    "qqp": {"accuracy": 88.0, "f1": 84.0},
    "rte": {"accuracy": 64.0},
    "sst2": {"accuracy": 92.0},
    "stsb": {"pearson_correlation": 86.0, "spearman_correlation": 82.0},
    "wnli": {"accuracy": 56.0},
}
TOY = Average(
    benchmark="toy/average",
    protocol="toy/mean",
    summary="the mean of a, and of the two metrics of b",
    terms=((("toy/a", "accuracy"),), (("toy/b", "accuracy"), ("toy/b", "f1"))),
)


def metrics(**values):
    rest = {"standard_error": 1.0, "n": 100, "unit": "%", "direction": "higher"}
    return {name: MetricValue(value=value, **rest) for name, value in values.items()}


def body(text):
    """The cells of each row by its first two cells."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {(name, kind): rest for name, kind, *rest in cells[2:]}


def toy(records, columns=(TOY,)):
    return averages.matrix(columns, records, (), lambda _: ())


def test_both_conventions_are_these_means_of_all_scores():
    """The paper's: (50 + 82 + 86 + 90 + 88 + 64 + 92 + 86) / 8 = 638 / 8.

    The leaderboard's: (50 + 82 + 88 + 90 + 86 + 64 + 92 + 84 + 56) / 9 = 692 / 9.
    """
    scores = {
        (f"glue/{task}", metric): Score(value=value)
        for task, values in GLUE.items()
        for metric, value in values.items()
    }
    assert averages.mean(PAPER, scores) == pytest.approx(79.75)
    assert averages.mean(LEADERBOARD, scores) == pytest.approx(692 / 9)
    without = {name: score for name, score in scores.items() if name[0] != "glue/wnli"}
    assert averages.mean(PAPER, without) == pytest.approx(79.75)
    assert averages.mean(LEADERBOARD, without) is None
    other_data = {
        **scores,
        ("glue/rte", "accuracy"): Score(value=64.0, num_examples=1, official_num_examples=277),
    }
    assert averages.mean(PAPER, other_data) is None


def test_the_published_averages_are_the_papers_convention():
    rows = [row for row in reported.rows("glue/average") if row.table == "Table 14"]
    assert len(rows) == 9
    columns = {task: ms for term in PAPER.terms for task, *ms in term}
    for row in rows:
        scores = averages.published_scores(row, columns, paper_rows)
        assert len(scores) == 9
        assert abs(averages.mean(PAPER, scores) - row.value) < 0.005, row.model


def test_every_term_is_a_metric_of_a_task_in_percent():
    for average in registry.averages():
        assert registry.get(average.joint).main_metric == "average_score"
        assert len({task for term in average.terms for task, _ in term}) >= len(average.terms)
        for task, metric in (pair for term in average.terms for pair in term):
            found = registry.get(task).metrics[metric]
            assert (found.direction, found.optimum) == ("higher", 100), (task, metric)
            assert found.unit in ("%", "x100")


def test_the_conventions_are_explained_beside_their_tasks():
    for average in registry.averages():
        readme = pathlib.Path(perceiver_bench.tasks.__path__[0])
        readme = readme / average.benchmark.split("/")[0] / "README.md"
        assert f"`{average.protocol}`" in readme.read_text()


def test_the_matrix_of_glue_has_ours_and_the_published_rows(make):
    records = [
        make(
            number,
            task=f"glue/{task}",
            metrics=metrics(**values),
            dataset={"num_examples": 10, "official_num_examples": 10, "task": task},
        )
        for number, (task, values) in enumerate(GLUE.items())
    ]
    published = reported.rows("glue/average")
    text = averages.matrix((PAPER, LEADERBOARD), records, published, paper_rows)
    rows = body(text)
    assert rows["small", "best"] == [
        *("50.00", "80.00", "84.00", "86.00 / 90.00", "90.00", "88.00 / 84.00"),
        *("64.00", "92.00", "86.00 / 82.00", "56.00", "79.75", "76.89"),
    ]
    assert len(rows) == 10  # ours, and the nine of Table 14
    assert rows["Perceiver IO (UTF-8 bytes) [arXiv:2107.14795v3, Table 14, dev]", ""] == [
        *("50.19", "83.22", "83.89", "87.24", "91.71", "90.12"),
        *("64.84", "93.17", "86.81", "", "80.95", ""),
    ]
    assert text.splitlines()[0] == (
        "| model | score | cola (matthews_correlation) | mnli_matched (accuracy) |"
        " mnli_mismatched (accuracy) | mrpc (accuracy / f1) | qnli (accuracy) |"
        " qqp (accuracy / f1) | rte (accuracy) | sst2 (accuracy) |"
        " stsb (pearson_correlation / spearman_correlation) | wnli (accuracy) |"
        " glue-dev/average-8 | glue-dev/average-leaderboard |"
    )
    assert "brackets" not in text


def test_best_is_over_settings_and_seeds_and_the_mean_over_the_seeds_of_one_setting(make):
    """Of a: settings 70, 74 and 78, 62 and a single 76. The best run has 78, the best mean 72."""
    one, two, three = (("train.batch_size=1",), ("train.batch_size=2",), ("train.batch_size=3",))
    records = [
        make(1, task="toy/a", value=70.0, seed=0, overrides=one),
        make(2, task="toy/a", value=74.0, seed=1, overrides=one),
        make(3, task="toy/a", value=78.0, seed=0, overrides=two),
        make(4, task="toy/a", value=62.0, seed=1, overrides=two),
        make(5, task="toy/a", value=76.0, seed=0, overrides=three),
        # F1 is that of the run with the best accuracy, not the best F1.
        make(6, task="toy/b", metrics=metrics(accuracy=60.0, f1=90.0), seed=0),
        make(7, task="toy/b", metrics=metrics(accuracy=64.0, f1=80.0), seed=1),
    ]
    rows = body(toy(records))
    more = make(8, task="toy/b", metrics=metrics(accuracy=62.0, f1=85.0), seed=2)
    assert ("small", "mean ± deviation over 2 to 3 seeds") in body(toy([*records, more]))
    assert rows["small", "best"] == ["78.00", "64.00 / 80.00", "75.00"]
    assert rows["small", "mean ± deviation over 2 seeds"] == [
        *("72.00 ± 2.83", "62.00 ± 2.83 / 85.00 ± 7.07", "72.75"),
    ]


def test_models_starts_and_baselines_have_rows_of_their_own_and_say_what_they_lack(make):
    records = [
        make(1, task="toy/a", value=70.0),
        make(2, task="toy/a", value=80.0, init="/home/of/runs/mlm/best"),
        make(3, task="toy/a", value=75.0, overrides=("model.encoder.num_latents=4",)),
        make(4, task="toy/a", value=50.0, baseline="majority"),
        make(5, task="toy/b", metrics=metrics(accuracy=40.0, f1=60.0), baseline="majority"),
        make(6, task="toy/b", metrics=metrics(accuracy=99.0), preset="other"),  # has no F1
        make(7, task="toy/a", value=99.0, partial=True, partial_reason="--limit=5"),
        make(8, task="other/task", value=99.0),
    ]
    rows = body(toy(records))
    assert list(rows) == [
        ("other", "best"),
        ("small", "best"),
        ("small; from mlm/best", "best"),
        ("small; model.encoder.num_latents=4", "best"),
        ("baseline majority", ""),
    ]
    assert rows["other", "best"] == ["", "99.00", "0 of 2"]
    assert rows["small; from mlm/best", "best"] == ["80.00", "", "1 of 2"]
    assert rows["baseline majority", ""] == ["50.00", "40.00 / 60.00", "50.00"]


def test_other_data_than_the_official_file_counts_for_nothing(make):
    part = {"num_examples": 100, "official_num_examples": 277}
    whole = {"num_examples": 277, "official_num_examples": 277}
    records = [
        make(1, task="toy/a", value=90.0, dataset=part),
        make(2, task="toy/b", metrics=metrics(accuracy=40.0, f1=60.0), dataset=whole),
    ]
    text = toy(records)
    assert body(text)["small", "best"] == ["(90.00)", "40.00 / 60.00", "1 of 2"]
    note = "In brackets, and in no average: toy/a with 100 examples, of which the official file"
    assert f"{note} has 277." in text
    # The official file takes its place, whichever came last and whatever it scores.
    records += [make(0, task="toy/a", value=70.0, dataset=whole)]
    text = toy(records)
    assert body(text)["small", "best"] == ["70.00", "40.00 / 60.00", "60.00"]
    assert "brackets" not in text


def test_one_model_for_all_tasks_has_the_scores_of_each(make):
    def run(number, seed, a, b, size=10):
        data = {name: {"num_examples": size, "official_num_examples": 10} for name in "ab"}
        scores = {"average_score": (a + b) / 2, "a_accuracy": a, "b_accuracy": b, "b_f1": b}
        values = metrics(**scores)
        return make(number, task="toy/joint", metrics=values, seed=seed, dataset=data)

    joint = dataclasses.replace(TOY, joint="toy/joint")
    records = [run(1, 0, 70.0, 80.0), run(2, 1, 74.0, 78.0)]
    records += [make(3, task="toy/a", value=60.0, preset="other")]
    rows = body(toy(records, (joint,)))
    # The run with the best average, not the best run of each task.
    assert rows["small", "best"] == ["74.00", "78.00 / 78.00", "76.00"]
    means = ["72.00 ± 2.83", "79.00 ± 1.41 / 79.00 ± 1.41", "75.50"]
    assert rows["small", "mean ± deviation over 2 seeds"] == means
    assert rows["other", "best"] == ["60.00", "", "1 of 2"]
    text = toy([run(1, 0, 70.0, 80.0, size=9)], (joint,))
    assert body(text)["small", "best"] == ["(70.00)", "(80.00 / 80.00)", "0 of 2"]
    assert "toy/a with 9 examples, of which the official file has 10; toy/b with 9" in text


def test_records_of_an_older_protocol_or_version_enter_no_average(make):
    records = [
        make(1, task="toy/a", value=90.0, task_version=0),
        make(2, task="toy/a", value=91.0, protocol="old"),
        make(3, task="toy/a", value=92.0, split="train"),
        make(4, task="toy/a", value=70.0),
    ]
    assert body(toy(records))["small", "best"] == ["70.00", "", "1 of 2"]


def test_no_record_makes_no_matrix(make):
    assert toy([]) == toy([make(1, task="other/task")]) == ""
