# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The published rows against the sheet of facts that was read from the papers by itself."""

import collections
import csv
import pathlib
import re

import pytest

from perceiver_bench.results import reported

_ROWS = reported.read(pathlib.Path(__file__).parents[2] / "results" / "reported.csv")

_BENCHMARKS = {
    "GLUE": "glue/average",
    "GLUE/MNLI-m": "glue/mnli_matched",
    "GLUE/MNLI-mm": "glue/mnli_mismatched",
    "AudioSet": "audioset/eval",
    "KITTI 2015": "flow/kitti2015",
    "Kinetics-700-2020 autoencoding": "multimodal/kinetics700",
    "RLBench": "rlbench/average",
    "RLBench 18 tasks": "rlbench/average",
    "Sintel clean": "flow/sintel_clean",
    "Sintel final": "flow/sintel_final",
    "StarCraft II": "starcraft/elite_bot",
    "flow inference 1088x436": "speed/flow_inference",
    "model size": "size/parameters",
}
_METRICS = {
    "average of 8 tasks": "average_score",
    "Matthews": "matthews_correlation",
    "Pearson": "pearson_correlation",
    "accuracy": "accuracy",
    "mAP": "mean_average_precision",
    "steps/s": "steps_per_second",
    "frames/s": "frames_per_second",
    "top-1": "top1_accuracy",
    "top-1 %": "top1_accuracy",
    "AEPE": "end_point_error",
    "audio PSNR": "audio_psnr",
    "video PSNR": "video_psnr",
    "avg success": "success_rate",
    "avg success %": "success_rate",
    "success %": "success_rate",
    "win rate": "win_rate",
    "params": "num_parameters",
}
_SPLITS = {
    "train (zero-shot from AutoFlow)": "train",
    "train on 64 TPUv3": "64 TPUv3",
    "vs Elite bot": "games",
    "eval split not stated": "not stated",
    "test 25 ep": "test",
    "test 25 ep x5": "test",
}
_SOURCES = {"S1": "arXiv:2107.14795v3", "S3": "arXiv:2209.05451", "S6": "arXiv:2406.08545"}
# The sheet does not tell these two tables apart.
_OF_FLOW = "Table 3/16"


def _benchmark(name, metric):
    if name == "ImageNet-1k":
        return "imagenet/top1" if metric == "top-1" else "speed/imagenet_training"
    if name in _BENCHMARKS:
        return _BENCHMARKS[name]
    family, task = name.lower().split("/")
    return f"{family.replace(' ', '_')}/{task.replace(' ', '_').replace('-', '')}"


def _source(text):
    """The publication and table that the sheet's words are of."""
    if text.startswith("S7"):
        return "wizwand.com", "leaderboard"
    for short, source in _SOURCES.items():
        if short in text:
            table = re.search(r"Tables? ([\dI/]+)", text)
            return source, f"Table {table[1]}" if table else ""
    assert text == "computed from official code"
    return "github.com", ""


@pytest.fixture(scope="module")
def facts(shared):
    """The rows of the sheet: model, and what a row of reported.csv must have."""
    path = shared / "facts" / "paper_numbers.csv"
    if not path.is_file():
        pytest.skip(f"needs the sheet of facts {path}, which is absent")
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            share = 100 if line["metric"] == "avg success" else 1
            source, table = _source(line["source"])
            splits = {"-": "none" if source == "github.com" else "not stated"}
            row = (
                _benchmark(line["benchmark"], line["metric"]),
                _METRICS[line["metric"]],
                round(share * float(line["value"]), 6),
                line["higher_is_better"] == "yes",
            )
            place = (source, table, (_SPLITS | splits).get(line["split"], line["split"]))
            found.append((line["variant"], row, place))
    return found


@pytest.fixture(scope="module")
def ours():
    """The rows of reported.csv in the same form."""
    found = []
    for one in _ROWS:
        metric = re.sub("(?<=end_point_error).*", "", one.metric)
        row = (one.benchmark, metric, one.value, one.direction == "higher")
        is_flow = one.benchmark.startswith("flow/")
        table = _OF_FLOW if is_flow and one.table in ("Table 3", "Table 16") else one.table
        source = "github.com" if one.source.startswith("github.com") else one.source
        found.append((one.model, row, (source, table, one.split)))
    return found


def test_every_row_of_the_facts_is_a_row_here_with_its_value_and_source(facts, ours):
    due = collections.Counter((row, place) for _, row, place in facts)
    found = collections.Counter((row, place) for _, row, place in ours)
    assert len(facts) >= 400
    assert due - found == {}
    assert found - due == {}


def test_no_numbers_of_two_models_are_exchanged(facts, ours):
    """Whatever a model is called: the numbers that are one model's there are one's here."""

    def models(rows):
        members = collections.defaultdict(set)
        for model, row, place in rows:
            if row[0] != "rlbench/average":  # there under a longer name than its tasks
                members[model, place].add(row)
        return collections.Counter(map(frozenset, members.values()))

    assert models(facts) == models(ours)


def test_every_row_names_its_source_and_the_place_in_it():
    known = {*_SOURCES.values(), "wizwand.com"}
    for row in _ROWS:
        assert row.source in known or row.source.startswith("github.com/"), row
        assert row.table or row.page_or_section, row
