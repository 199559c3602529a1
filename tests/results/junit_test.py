# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import pathlib
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from made_expectations import due

from perceiver_bench.results import gate, junit


def _parsed(*findings, path="baseline.yaml"):
    return ElementTree.fromstring(junit.to_xml(gate.Report(pathlib.Path(path), findings)))


def test_each_expectation_is_a_test_case_with_its_outcome():
    root = _parsed(
        gate.Finding(
            expectation=due(run={"preset": "tiny"}),
            verdict="pass",
            reason="",
            value=93.05,
            width=0.1,
            difference=0.5,
        ),
        gate.Finding(
            expectation=due(metric="f1"),
            verdict="out of tolerance",
            reason="f1 is far off",
            value=90.0,
            width=0.1,
            difference=-30.0,
        ),
        gate.Finding(expectation=due(), verdict="not comparable", reason="no record"),
    )
    assert root.tag == "testsuites"
    (suite,) = root
    for element in (root, suite):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert suite.get("name") == "baseline.yaml"
    passed, failed, missing = suite
    assert {case.get("classname") for case in suite} == {"glue/sst2"}
    assert passed.get("name") == "accuracy, dev, glue-dev/accuracy; preset tiny"
    assert [child.tag for child in passed] == ["system-out"]
    assert passed.findtext("system-out") == (
        "expected: 93.0\ntolerance: 0.1\nfound: 93.05\ndifference in tolerances: 0.5\n"
    )
    failure = failed.find("failure")
    assert (failure.get("type"), failure.get("message")) == ("out of tolerance", "f1 is far off")
    assert failure.text == "f1 is far off\nWhy it is expected: made by hand"
    error = missing.find("error")
    assert (error.get("type"), error.get("message")) == ("not comparable", "no record")
    assert failed.find("error") is missing.find("failure") is None


def test_a_found_value_of_0_is_shown():
    root = _parsed(
        gate.Finding(
            expectation=due(expected=0.0),
            verdict="pass",
            reason="",
            value=0.0,
            width=0.1,
            difference=0.0,
        )
    )
    assert "found: 0.0\ndifference in tolerances: 0.0\n" in root[0][0].findtext("system-out")


@settings(deadline=None, max_examples=100)
@given(text=st.text(min_size=1, max_size=20))
def test_any_text_gives_xml_that_holds_it(text):
    expected = due(task=text, metric=text, protocol=text, why=text)
    finding = gate.Finding(expectation=expected, verdict="not comparable", reason=text)
    case = _parsed(finding, path=f"x{text}")[0][0]
    readable = "".join(one if one == "\n" or one.isprintable() else "\ufffd" for one in text)
    # A parser makes spaces of line ends in attributes that are not escaped; these are.
    assert case.get("classname") == readable
    assert case.find("error").get("message") == readable
    assert case.findtext("error") == f"{readable}\nWhy it is expected: {readable}"
