# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import pathlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.results import baselines, plain_yaml, reported
from perceiver_bench.results.baselines import Expectation, Tolerance

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGEST = "12" * 32  # decimal digits alone, which YAML takes for a number

ENTRY = f"""\
- task: glue/sst2
  task_version: 1
  run: {{preset: no, overrides: [train.steps=200], init: null, seed: 0}}
  split: dev
  protocol: glue-dev/accuracy
  dataset_fingerprint: {DIGEST}
  num_examples: 872
  metric: accuracy
  unit: "%"
  direction: higher
  expected: 9.25e1
  tolerance: {{absolute: 0.3}}
  why: >-
    Seen
    before.
"""


def _file(folder, entries=ENTRY, head="schema_version: 1\nexpectations:\n"):
    path = folder / "baseline.yaml"
    path.write_bytes((head + entries).encode())
    return path


def _fault(path):
    """The one line that reading a file ends with, without the file's name."""
    with pytest.raises(UserError) as caught:
        baselines.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def _without(name):
    """The entry without one field."""
    first, *fields = re.split(r"\n  (?=\w)", ENTRY.rstrip("\n"))
    kept = [field for field in fields if not field.startswith(f"{name}:")]
    assert len(kept) == len(fields) - 1
    return "\n  ".join([first, *kept]) + "\n"


def test_an_entry_is_read_as_it_is_written(tmp_path):
    (found,) = baselines.read(_file(tmp_path))
    assert found == Expectation(
        task="glue/sst2",
        task_version=1,
        run={"preset": "no", "overrides": ("train.steps=200",), "init": None, "seed": 0},
        split="dev",
        protocol="glue-dev/accuracy",
        dataset_fingerprint=DIGEST,
        num_examples=872,
        metric="accuracy",
        unit="%",
        direction="higher",
        expected=92.5,
        tolerance=Tolerance("absolute", 0.3),
        why="Seen before.",
    )


@pytest.mark.parametrize("name", ["run", "dataset_fingerprint", "num_examples"])
def test_some_fields_may_be_left_out(tmp_path, name):
    (found,) = baselines.read(_file(tmp_path, _without(name)))
    assert not getattr(found, name)


@pytest.mark.parametrize(
    "name",
    [
        *("task_version", "split", "protocol", "metric", "unit", "direction"),
        *("expected", "tolerance", "why"),
    ],
)
def test_the_other_fields_may_not(tmp_path, name):
    fault = _fault(_file(tmp_path, _without(name)))
    assert fault == f"entry 1 ('glue/sst2'): field {name} is missing; add it"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("task_version: 1", "task_version: one", "field task_version must be a whole number"),
        ("split: dev", "split:", "field split must be a line of text, is empty"),
        ("split: dev", "split: [dev]", "field split must be a line of text, is ['dev']"),
        ("split: dev", 'split: "a\\tb"', "field split must be a line of text"),
        ("split: dev", "splitt: dev", "field 'splitt' is unknown. Did you mean 'split'?"),
        ("split: dev", "<<: {split: dev}", "field '<<' is unknown."),
        ("higher", "up", "field direction must be higher or lower, is 'up'"),
        ("9.25e1", ".nan", "field expected must be a finite number such as 81.5, is '.nan'"),
        ("9.25e1", ".inf", "field expected must be a finite number"),
        ("9.25e1", "1e999", "field expected must be a finite number"),
        ("9.25e1", "1:30", "field expected must be a finite number"),
        ("9.25e1", "0x10", "field expected must be a finite number"),
        ("9.25e1", "1_000", "field expected must be a finite number"),
        ("9.25e1", "٣", "field expected must be a finite number"),
        ("9.25e1", "9" * 5000, "field expected must be a finite number"),
        (DIGEST, "12", "field dataset_fingerprint must be the 64 digits"),
        (DIGEST, "AB" * 32, "field dataset_fingerprint must be the 64 digits"),
        ("{absolute: 0.3}", "0.3", "field tolerance must be a mapping of absolute, relative,"),
        ("{absolute: 0.3}", "{}", "field tolerance must have exactly one of absolute, relative,"),
        (
            "absolute: 0.3",
            "absolute: 0.3, relative: 0.1",
            "field tolerance must have exactly one of absolute, relative, standard_errors, has 2",
        ),
        ("absolute: 0.3", "absolute: 0", "field tolerance.absolute must be a number above 0"),
        ("absolute: 0.3", "absolute: -1", "field tolerance.absolute must be a number above 0"),
        ("absolute: 0.3", "relative: 2", "field tolerance.relative must be a share above 0 and"),
        ("absolute: 0.3", "sigma: 2", "field tolerance.'sigma' is unknown."),
        ("seed: 0", "seed: -1", "field run.seed must be a whole number, or null for none"),
        ("[train.steps=200]", "a=b", "field run.overrides must be a list of path=value; [] for"),
        ("[train.steps=200]", "[[a]]", "field run.overrides must be a list of path=value"),
        ("seed: 0", "baseline: majority", "field run.baseline stands alone"),
        ("seed: 0", "commit: ab", "field run.'commit' is unknown."),
        ("Seen\n    before.", "", "field why must be a text that says where number and tolerance"),
        ("Seen\n    before.", "a\u200bc", "field why must be a text"),
    ],
)
def test_a_wrong_field_is_named_with_its_mend(tmp_path, old, new, fault):
    assert old in ENTRY
    found = _fault(_file(tmp_path, ENTRY.replace(old, new)))
    assert found.startswith(f"entry 1 ('glue/sst2'): {fault}")
    assert len(found) < 300


def test_a_share_of_nothing_is_no_tolerance(tmp_path):
    entry = ENTRY.replace("9.25e1", "-0.0").replace("absolute: 0.3", "relative: 0.1")
    assert "field tolerance.relative is a share of 0" in _fault(_file(tmp_path, entry))


def test_numbers_and_words_of_yaml_are_not_reinterpreted(tmp_path):
    entry = ENTRY.replace("9.25e1", "010").replace("split: dev", "split: off")
    (found,) = baselines.read(_file(tmp_path, entry))
    assert (found.expected, found.split) == (10.0, "off")


@pytest.mark.parametrize(
    ("head", "entries", "fault"),
    [
        ("", "", "must be a mapping of schema_version and expectations"),
        ("", ENTRY, "must be a mapping of schema_version and expectations"),
        ("expectations:\n", ENTRY, "field schema_version is missing; add it"),
        ("schema_version: 1\n", "", "field expectations is missing; add it"),
        ("schema_version: 2\nexpectations:\n", ENTRY, "field schema_version must be 1"),
        ("schema_version: 1\nexpectations:\n", "", "field expectations must be a list with at"),
        ("schema_version: 1\nexpectations: []\n", "", "field expectations must be a list with at"),
        (
            "schema_version: 1\nexpectation: []\nexpectations:\n",
            ENTRY,
            "field 'expectation' is unknown. Did you mean 'expectations'?",
        ),
        ("schema_version: 1\nexpectations:\n", "- 3\n", "entry 1: the entry must be a mapping"),
    ],
)
def test_the_file_has_two_fields_and_at_least_one_entry(tmp_path, head, entries, fault):
    assert _fault(_file(tmp_path, entries, head)).startswith(fault)


def test_a_field_that_stands_there_twice_is_named_with_its_line(tmp_path):
    path = _file(tmp_path, ENTRY + "  split: test\n")
    assert _fault(path) == "line 18: field 'split' stands there twice; delete one"


def test_an_expectation_that_stands_there_twice_is_refused(tmp_path):
    path = _file(tmp_path, ENTRY + ENTRY.replace("9.25e1", "90"))
    assert _fault(path) == (
        "entry 2 ('glue/sst2'): expects the same metric of the same run as entry 1; delete one"
    )
    assert len(baselines.read(_file(tmp_path, ENTRY + ENTRY.replace("seed: 0", "seed: 1")))) == 2


LAUGHS = "a0: &a0 [ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (LAUGHS.encode(), "line 1: has an anchor or alias (& or *); write the value out"),
        (b"a: *b", "line 1: has an anchor or alias"),
        (b"a: &b 1", "line 1: has an anchor or alias"),
        (b"a: !!python/object/apply:os.system [ls]", "line 1: has the tag 'tag:yaml.org,2002:pyt"),
        (b"a: !b 1", "line 1: has the tag '!b'; leave it out"),
        (b"[" * 100_000, "line 1: is nested deeper than 8 levels; flatten it"),
        (b"- " * 100_000, "line 1: is nested deeper than 8 levels; flatten it"),
        (b"#" * (plain_yaml.MAX_BYTES + 1), "is larger than 262,144 bytes; split it"),
        (b"a: 1\n---\na: 2\n", "line 2: is no YAML (but found another document)"),
        (b"{a: 1", "line 1: is no YAML ("),
        (b"? [a]\n: b", "line 1: a key has to be a word"),
        (b"a: \x00", "is no YAML (unacceptable character #x0000"),
        (b"\xff", "is no UTF-8 text (invalid start byte); save it as such"),
    ],
    ids=[
        *("laughs", "alias", "anchor", "python_tag", "tag", "deep_flow", "deep_block", "huge"),
        *("two_documents", "cut_short", "complex_key", "null_character", "no_utf8"),
    ],
)
def test_hostile_yaml_is_refused_in_one_line(tmp_path, content, fault):
    path = tmp_path / "baseline.yaml"
    path.write_bytes(content)
    assert _fault(path).startswith(fault)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert _fault(tmp_path / "none.yaml") == "cannot be read: No such file or directory"
    assert _fault(tmp_path) == "cannot be read: Is a directory"


_words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_tolerances = st.one_of(
    st.builds(Tolerance, st.just("absolute"), st.floats(1e-300, 1e300)),
    st.builds(Tolerance, st.just("relative"), st.floats(1e-9, 0.999)),
    st.builds(Tolerance, st.just("standard_errors"), st.floats(0.1, 9)),
)
_runs = st.one_of(
    st.fixed_dictionaries({"baseline": _words}),
    st.fixed_dictionaries(
        {},
        optional={
            "preset": _words,
            "overrides": st.lists(_words, max_size=2).map(tuple),
            "init": st.none() | _words,
            "seed": st.none() | st.integers(0, 2**40),
            "checkpoint": _words,
        },
    ),
)
_expectations = st.builds(
    Expectation,
    task=_words,
    task_version=st.integers(0, 99),
    run=_runs,
    split=_words,
    protocol=_words | st.sampled_from(["null", "~", "no", "1:30", "2026-01-02", "*a", "!b"]),
    dataset_fingerprint=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    num_examples=st.none() | st.integers(1, 10**6),
    metric=_words,
    unit=_words,
    direction=st.sampled_from(["higher", "lower"]),
    expected=_numbers.filter(bool),
    tolerance=_tolerances,
    why=st.lists(_words, min_size=1, max_size=30).map(" ".join),
)


@settings(deadline=None, max_examples=40)
@given(expectations=st.lists(_expectations, min_size=1, max_size=3, unique_by=lambda e: e.identity))
def test_what_is_written_is_read_again(tmp_path_factory, expectations):
    path = tmp_path_factory.mktemp("written") / "baseline.yaml"
    baselines.write(expectations, path)
    assert baselines.read(path) == tuple(expectations)


def test_equal_values_are_written_without_aliases(tmp_path):
    (one,) = baselines.read(_file(tmp_path))
    path = tmp_path / "two.yaml"
    baselines.write([one, one], path)
    assert "&" not in path.read_text()


def test_a_file_is_neither_overwritten_nor_too_large(tmp_path):
    (one,) = baselines.read(path := _file(tmp_path))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"^--baseline=.*: exists already; delete it or name"):
        baselines.write([one], path)
    assert path.read_bytes() == before
    with pytest.raises(UserError, match=r"^--baseline=.*would be larger than .*; name fewer tasks"):
        baselines.write([one] * 1000, tmp_path / "many.yaml")
    assert not (tmp_path / "many.yaml").exists()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results" / "baselines").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_baselines_of_this_project_are_of_its_tasks(path):
    for expectation in baselines.read(path):
        task = registry.get(expectation.task)
        metric = task.metrics[expectation.metric]
        assert expectation.task_version == task.version
        assert expectation.split == task.splits[1]
        assert (expectation.unit, expectation.direction) == (metric.unit, metric.direction)
        if "baseline" in expectation.run:
            assert expectation.run["baseline"] in task.baselines
            preset = task.default_preset
        else:
            preset = expectation.run["preset"]
        assert expectation.protocol == task.protocol_of(task.presets[preset].data)


def test_the_papers_baseline_is_the_papers_numbers():
    expectations = baselines.read(ROOT / "results" / "baselines" / "paper.yaml")
    for expectation in expectations:
        rows = [
            row
            for benchmark in registry.get(expectation.task).paper_rows
            for row in reported.rows(benchmark)
            if row.metric == expectation.metric
            and (row.unit, row.direction) == (expectation.unit, expectation.direction)
            and row.protocol in ("", expectation.protocol)
            and expectation.why.startswith(f"{row.table}, {row.model}")
        ]
        assert [row.value for row in rows[:1]] == [expectation.expected]
        assert expectation.run["seed"] is None  # released, not trained here
    assert {expectation.task for expectation in expectations} == {
        *("imagenet/ilsvrc2012", "flow/sintel_clean", "flow/sintel_final", "flow/kitti2015"),
        "rlbench/peract18_test",
    }
