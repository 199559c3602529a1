# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import csv
import io
import math
import pathlib

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.imagenet import confusion, predictions

from perceiver_bench import api
from perceiver_bench.metrics.images import IMAGE_METRICS

CLASSES = [(f"n{number}", f"class {number}, a thing") for number in range(7)]
FILES = ["predictions.csv", "logits.npy", "per_class.csv", "confusion.png"]
BAD = {"name": "bad.JPEG", "label": 0, "is_bad": True}


def example_of(name, label, **more):
    return {"name": name, "label": label, **more}


def written(pairs, classes=CLASSES):
    """Gives the files by name, of pairs of an example and its logits."""
    opened = []

    def source(*arguments):
        opened.append(arguments)
        return api.MemorySource([example for example, _ in pairs], {})

    def run(source):
        for index, (_, logits) in enumerate(pairs):
            yield source[index], {}, {"logits": logits}

    config, folder = api.ImageData(size=(8, 8)), pathlib.Path("data")
    files = dict(predictions.write_files(classes, source, "val", config, {}, folder, run))
    assert opened == [(config, folder, "val")]
    assert list(files) == FILES
    return files


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


@pytest.fixture(scope="module")
def case():
    """Gives 200 images, every tenth of them bad, of six of the seven classes."""
    rng = np.random.default_rng(0)
    pairs = []
    for index in range(200):
        label = int(rng.integers(6))
        logits = rng.normal(size=7).astype(np.float32) + np.eye(7, dtype=np.float32)[label]
        example = example_of(f"{label}/{index}.JPEG", label, is_bad=False)
        if index % 10 == 3:
            example = {**BAD, "name": f"bad {index}"}
        pairs.append((example, logits))
    return pairs, written(pairs)


def test_answers_are_the_likeliest_classes(case):
    pairs, files = case
    rows = rows_of(files["predictions.csv"])
    assert [row["name"] for row in rows] == [example["name"] for example, _ in pairs]
    for row, (example, logits) in zip(rows, pairs, strict=True):
        if example["is_bad"]:
            assert row["is_skipped"] == "1"
            assert not any(
                value for name, value in row.items() if name not in ("name", "is_skipped")
            )
            continue
        expected = scipy.special.softmax(logits.astype(np.float64))
        order = sorted(range(7), key=lambda one: -logits[one])[:5]
        assert row["is_skipped"] == "0"
        assert (row["label_id"], row["label_name"]) == CLASSES[example["label"]]
        assert row["is_right"] == str(int(order[0] == example["label"]))
        for place, one in enumerate(order, start=1):
            assert (row[f"id_{place}"], row[f"name_{place}"]) == CLASSES[one]
            assert float(row[f"probability_{place}"]) == pytest.approx(expected[one], rel=1e-5)


def test_logits_are_those_of_the_network(case):
    pairs, files = case
    logits = np.load(io.BytesIO(files["logits.npy"]), allow_pickle=False)
    assert (logits.dtype, logits.shape) == (np.dtype("<f4"), (200, 7))
    for row, (example, expected) in zip(logits, pairs, strict=True):
        np.testing.assert_array_equal(row, np.full(7, np.nan) if example["is_bad"] else expected)


def wilson(right, number):
    """Returns Wilson's interval by its formula, z being the normal's quantile of 97.5 %."""
    z, share = 1.959963984540054, right / number
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number)
    half *= math.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return middle - half, middle + half


def test_classes_by_plain_loops(case):
    pairs, files = case
    seen = [(example["label"], logits) for example, logits in pairs if not example["is_bad"]]
    rows = rows_of(files["per_class.csv"])
    assert [(row["id"], row["name"]) for row in rows] == CLASSES
    for label, row in enumerate(rows[:6]):
        answers = [int(np.argmax(logits)) for one, logits in seen if one == label]
        right = answers.count(label)
        assert (int(row["images"]), int(row["right"])) == (len(answers), right)
        shares = [right / len(answers), *wilson(right, len(answers))]
        for name, share in zip(("accuracy", "lower", "upper"), shares, strict=True):
            assert float(row[f"{name}_percent"]) == pytest.approx(100 * share, abs=0.0051)
        wrong = [answer for answer in answers if answer != label]
        most = min(set(wrong), key=lambda one: (-wrong.count(one), one))
        assert (row["wrong_answer_id"], row["wrong_answer_name"]) == CLASSES[most]
        assert int(row["wrong_answer_images"]) == wrong.count(most)
    assert list(rows[6].values()) == [*CLASSES[6], "0", "0", *[""] * 6]


def test_the_files_agree_with_the_metrics(case):
    pairs, files = case
    batch = {
        "label": np.array([example["label"] for example, _ in pairs]),
        "weight": np.array([not example["is_bad"] for example, _ in pairs], np.float32),
    }
    prediction = {"logits": np.stack([logits for _, logits in pairs])}
    metrics = {
        name: metric.pooling.value(metric.rows(prediction, batch))
        for name, metric in IMAGE_METRICS.items()
        if not metric.optional
    }
    rows = [row for row in rows_of(files["predictions.csv"]) if row["is_skipped"] == "0"]
    among = [row["label_id"] in [row[f"id_{place}"] for place in range(1, 6)] for row in rows]
    right = [int(row["is_right"]) for row in rows]
    assert 100 * np.mean(right) == pytest.approx(metrics["top1_accuracy"])
    assert 100 * np.mean(among) == pytest.approx(metrics["top5_accuracy"])
    by_class = [row["accuracy_percent"] for row in rows_of(files["per_class.csv"])]
    mean = np.mean([float(one) for one in by_class if one])
    assert mean == pytest.approx(metrics["mean_per_class_accuracy"], abs=0.005)


def test_the_picture_is_of_what_was_not_skipped(case):
    pairs, files = case
    seen = [(example["label"], logits) for example, logits in pairs if not example["is_bad"]]
    labels, logits = map(np.array, zip(*seen, strict=True))
    expected = confusion.picture(labels, logits.argmax(-1), [name for _, name in CLASSES])
    assert files["confusion.png"] == expected


def test_equal_predictions_are_equal_bytes(case):
    pairs, files = case
    assert written(pairs) == files


def test_nan_is_wrong_and_has_no_answer():
    logits = np.zeros(7, np.float32)
    logits[[2, 4]] = 5, np.nan
    files = written([(example_of("one", 2), logits), (example_of("two", 2), np.zeros(7))])
    first, second = rows_of(files["predictions.csv"])
    assert (first["is_skipped"], first["label_id"], first["is_right"]) == ("0", "n2", "0")
    assert first["id_1"] == first["probability_5"] == ""
    assert (second["id_1"], second["is_right"]) == ("n0", "0")
    row = rows_of(files["per_class.csv"])[2]
    assert (row["images"], row["right"], row["accuracy_percent"]) == ("2", "0", "0.00")
    assert (row["wrong_answer_id"], row["wrong_answer_images"]) == ("n0", "1")
    np.testing.assert_array_equal(np.load(io.BytesIO(files["logits.npy"]))[0], logits)


def test_equal_logits_go_to_the_lower_class():
    logits = np.array([1, 2, 0, 2, 1, 2, 1], np.float32)
    row = rows_of(written([(example_of("one", 3), logits)])["predictions.csv"])[0]
    assert [row[f"id_{place}"] for place in range(1, 6)] == ["n1", "n3", "n5", "n0", "n4"]
    assert row["is_right"] == "0"


def test_of_three_classes_there_are_three():
    rows = rows_of(written([(example_of("one", 1), np.arange(3))], CLASSES[:3])["predictions.csv"])
    assert [name for name in rows[0] if name.startswith("id_")] == ["id_1", "id_2", "id_3"]


@pytest.mark.parametrize("pairs", [[], [(BAD, np.zeros(7))]])
def test_without_images_the_files_are_whole(pairs):
    files = written(pairs)
    assert len(rows_of(files["predictions.csv"])) == len(pairs)
    assert np.load(io.BytesIO(files["logits.npy"])).shape == (len(pairs), 7)
    assert {row["images"] for row in rows_of(files["per_class.csv"])} == {"0"}


@pytest.mark.parametrize("shape", [(6,), (8,), (1, 7)])
def test_logits_of_other_classes_are_refused(shape):
    with pytest.raises(api.UserError, match=r"--checkpoint: .* the data have 7; name a"):
        written([(example_of("one", 1), np.zeros(shape))])


def test_names_that_a_spreadsheet_would_run_are_texts():
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a "b", c', "line\nline", "'a", "é"]
    classes = [(f"={number}", f"@{number}") for number in range(2)]
    files = written([(example_of(name, 0), np.array([2.0, 1])) for name in names], classes)
    rows = rows_of(files["predictions.csv"])
    assert [row["name"] for row in rows] == [f"'{name}" for name in names[:6]] + names[6:]
    for row in (*rows, *rows_of(files["per_class.csv"])):
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


def test_a_name_that_is_no_utf8_is_escaped():
    name = b"caf\xe9.JPEG".decode("utf-8", "surrogateescape")
    files = written([(example_of(name, 0), np.zeros(7))])
    assert rows_of(files["predictions.csv"])[0]["name"] == "caf\\udce9.JPEG"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32) | st.just(-np.inf), min_size=1, max_size=9)
)
def test_probabilities_are_those_of_scipy(values):
    logits = np.array([*values, 0.0], np.float32)
    expected = scipy.special.softmax(logits.astype(np.float64))
    np.testing.assert_allclose(predictions.probabilities(logits), expected, rtol=1e-12)


def test_infinite_logits_share_all_of_the_probability():
    for logits, expected in (
        ([np.inf, 0, np.inf, -np.inf], [0.5, 0, 0.5, 0]),
        ([-np.inf, -np.inf], [0.5, 0.5]),
    ):
        np.testing.assert_array_equal(predictions.probabilities(np.array(logits)), expected)


@pytest.mark.parametrize("right", [0, 1, 50])
def test_intervals_stay_within_the_possible(right):
    logits = np.eye(7, dtype=np.float32)
    pairs = [(example_of(str(index), 0), logits[int(index >= right)]) for index in range(50)]
    row = rows_of(written(pairs)["per_class.csv"])[0]
    bounds = [row[f"{name}_percent"] for name in ("lower", "accuracy", "upper")]
    expected = [100 * one for one in (wilson(right, 50)[0], right / 50, wilson(right, 50)[1])]
    assert [float(one) for one in bounds] == pytest.approx(expected, abs=0.0051)
    assert not any(one.startswith("-") for one in bounds)
