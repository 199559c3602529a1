# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import io

import matplotlib
import numpy as np
import pytest
import sklearn.metrics
from perceiver_bench.tasks.imagenet import confusion
from PIL import Image

NAMES = [f"class {number}" for number in range(1200)]


def answers_of(num_classes, images, seed=0, right=0.7):
    """Gives labels of `num_classes` classes and answers, of which some are wrong."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), images)
    others = rng.integers(num_classes, size=labels.size)
    return labels, np.where(rng.random(labels.size) < right, labels, others)


def pixels_of(content):
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert "Software" not in picture.info
        return np.asarray(picture.convert("RGB"))


def drawn(labels, predicted, names=NAMES):
    return pixels_of(confusion.picture(np.array(labels), np.array(predicted), names))


@pytest.fixture
def shown(monkeypatch):
    """Gives the shares of the last picture, as they are given to be drawn."""
    found = []
    draw = confusion._draw
    monkeypatch.setattr(
        confusion, "_draw", lambda axes, shares: (found.append(shares), draw(axes, shares))
    )
    return found


@pytest.mark.parametrize("num_classes", [2, 10, 30, 31])
def test_shares_are_those_of_scikit_learn(num_classes, shown):
    labels, predicted = answers_of(num_classes, 8)
    drawn(labels, predicted)
    expected = sklearn.metrics.confusion_matrix(labels, predicted, normalize="true")
    np.testing.assert_allclose(shown[-1], expected)


def test_classes_present_keep_their_order(shown):
    drawn([7, 7, 3, 500], [3, 7, 3, 7])
    np.testing.assert_allclose(shown[-1], [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]])


def test_a_class_that_is_only_an_answer_is_there(shown):
    drawn([4, 4], [4, 9])
    np.testing.assert_allclose(shown[-1], [[0.5, 0.5], [0, 0]])


def test_images_without_an_answer_are_in_no_cell_and_in_the_title(shown):
    picture = drawn([0, 0, 1], [0, -1, 1])
    np.testing.assert_array_equal(shown[-1], np.eye(2))
    assert not np.array_equal(picture, drawn([0, 1], [0, 1]))
    assert confusion._title(np.array([0, 0, 1]), np.array([0, -1, 1])) == (
        "3 images, top-1 accuracy 66.7 %\n1 without an answer"
    )


@pytest.mark.parametrize(("num_classes", "cell"), [(31, 32), (150, 7)])
def test_cells_of_a_map_are_whole_pixels(num_classes, cell):
    """Of perfect answers the diagonal is squares of one colour, and all else is white."""
    labels = np.arange(num_classes)
    picture = drawn(labels, labels)
    dark = (picture == np.array([8, 48, 107])).all(axis=-1)  # the end of matplotlib's Blues
    dark[:, num_classes * cell + 100 :] = False  # the scale beside the map
    rows = np.flatnonzero(dark.any(axis=1))
    inner = dark[rows[2 * cell] : rows[-2 * cell]]  # the frame is drawn over the ends
    assert (inner.sum(axis=1) == cell).all()
    starts, heights = np.unique(inner.argmax(axis=1), return_counts=True)
    assert len(starts) >= num_classes - 5
    assert (np.diff(starts) == cell).all()
    assert (heights[1:-1] == cell).all()


def test_of_a_thousand_classes_a_single_error_is_seen(shown):
    labels, predicted = answers_of(1000, 2, right=1.0)
    predicted[600] = 700  # of class 300
    predicted[1000] = 501  # of class 500, beside the diagonal
    drawn(labels, predicted)
    expected = np.eye(1000)
    expected[299:302, 699:702] = 0.5
    expected[499:502, 500:503] = np.maximum(expected[499:502, 500:503], 0.5)
    expected[300, 300] = expected[500, 500] = 0.5
    np.testing.assert_array_equal(shown[-1], expected)


def test_lighter_is_less_in_grey():
    shares = np.linspace(0, 1, 101) ** confusion._EXPONENT
    colours = matplotlib.colormaps[confusion._COLOURS](shares)[:, :3]
    grey = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) <= 0).all()
    assert (np.diff(grey[::10]) < 0).all()
    assert 1 - grey[1] > 0.2  # one in a hundred beside none, which is white


@pytest.mark.parametrize("num_classes", [5, 31])
def test_the_picture_is_the_datas_alone(num_classes):
    labels, predicted = answers_of(num_classes, 5)
    first = confusion.picture(labels, predicted, NAMES)
    assert confusion.picture(labels, predicted, NAMES) == first
    order = np.random.default_rng(1).permutation(labels.size)
    assert confusion.picture(labels[order], predicted[order], NAMES) == first
    assert confusion.picture(predicted, labels, NAMES) != first
    assert confusion.picture(labels, predicted, NAMES[::-1]) != first
    changed = predicted.copy()
    changed[0] = (changed[0] + 1) % num_classes
    assert confusion.picture(labels, changed, NAMES) != first


def test_a_persons_own_settings_change_nothing(monkeypatch):
    labels, predicted = answers_of(5, 5)
    expected = confusion.picture(labels, predicted, NAMES)
    monkeypatch.setitem(matplotlib.rcParams, "figure.facecolor", "black")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    assert confusion.picture(labels, predicted, NAMES) == expected
    assert matplotlib.rcParams["font.size"] == 30


def test_pictures_of_several_threads_are_the_same():
    cases = [answers_of(3 + number, 3) for number in range(4)]
    expected = [confusion.picture(*case, NAMES) for case in cases]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda case: confusion.picture(*case, NAMES), cases)
    assert list(found) == expected


def test_the_most_frequent_confusions_are_told():
    counts = np.zeros((12, 12), np.int64)
    np.fill_diagonal(counts, 90)
    counts[3, 5], counts[5, 3], counts[0, 11], counts[0, 10] = 7, 9, 7, 1
    told = confusion._confusions(counts, NAMES).splitlines()
    assert told == [
        "The most frequent confusions:",
        "9 of 99 class 5",
        "        \u2192 class 3",
        "7 of 98 class 0",  # before class 3, of as many
        "        \u2192 class 11",
        "7 of 97 class 3",
        "        \u2192 class 5",
        "1 of 98 class 0",
        "        \u2192 class 10",
    ]
    assert confusion._confusions(np.eye(3, dtype=np.int64), NAMES) == "No confusions."
    assert len(confusion._confusions(np.ones((40, 40), np.int64), NAMES).splitlines()) == 21


@pytest.mark.parametrize("num_classes", [0, 1, 2, 30, 31, 1000])
def test_sizes_are_of_a_screen(num_classes):
    labels = np.arange(num_classes)
    height, width = drawn(labels, labels).shape[:2]
    assert 200 <= height <= 1500
    assert 400 <= width <= 1700


@pytest.mark.parametrize("num_classes", [3, 31])
def test_names_are_no_formulas(num_classes):
    labels = np.arange(num_classes)
    names = [r"$\frac{"] * num_classes  # as a formula it would be an error
    assert drawn(labels, (labels + 1) % num_classes, names).std() > 0


def test_long_names_are_cut():
    cut, longer = (drawn([0, 1], [0, 1], ["long " * times] * 2) for times in (7, 700))
    np.testing.assert_array_equal(cut, longer)
    assert not np.array_equal(cut, drawn([0, 1], [0, 1], ["long " * 6] * 2))


def test_no_images_are_said_to_be_none():
    assert confusion._title(np.zeros(0, int), np.zeros(0, int)) == "no images"
    picture = drawn(np.zeros(0, int), np.zeros(0, int))
    assert (picture == 255).mean() > 0.9
