# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
from perceiver_bench.results.html import provenance


def facts(run):
    return dict(provenance.origin(run).facts)


def test_the_command_is_quoted_for_a_shell(make):
    flags = ("--mode=train", "--task=glue/sst2", "--data_dir=my data")
    shown = "perceiver-bench --mode=train --task=glue/sst2 '--data_dir=my data'"
    assert facts(make(0, command=flags))["command"] == shown
    assert "command" not in facts(make(0))


def test_coverage_is_that_of_the_data_and_of_the_official_set(make):
    coverage = {"num_measured": 860, "num_examples": 1872}
    assert facts(make(0, coverage=coverage))["coverage"] == "860 of 1,872 examples"
    official = {"num_examples": 1872, "official_num_examples": 2000}
    found = facts(make(0, coverage=coverage, dataset=official))
    assert found["coverage"] == "860 of 1,872 examples, officially 2,000"
    assert "coverage" not in facts(make(0, coverage=None))


def test_of_the_machine_stands_what_is_known(make):
    device = {"platform": "cpu", "kind": "cpu", "count": 1, "processor": "Some CPU", "cores": 2}
    assert facts(make(0, device=device))["device"].endswith("count 1, processor Some CPU, cores 2")
    old = {**device, "processor": None, "cores": None}
    assert facts(make(0, device=old))["device"] == "platform cpu, kind cpu, count 1"
