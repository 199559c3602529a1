# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A corpus on the disk, crops of joined documents, mixtures."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench.data import corpus, pipeline
from perceiver_bench.data import mixture as mixtures
from perceiver_bench.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": text}) for text in texts]
    (folder / "texts.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def numbered(count, words=20):
    return [" ".join([f"doc{index}"] * words) for index in range(count)]


def test_a_corpus_holds_the_documents_and_is_made_once(tmp_path, monkeypatch):
    texts = numbered(7)
    folder = write(tmp_path / "text", texts)
    made = corpus.open_corpus(folder)
    assert [made.read(i, 0, 10**6).decode() for i in range(len(made))] == texts
    assert made.facts["documents"] == 7
    monkeypatch.setattr(corpus.documents, "parts", None)  # is not asked again
    assert corpus.open_corpus(folder).facts == made.facts


def test_changed_text_is_another_corpus(tmp_path):
    first = corpus.open_corpus(write(tmp_path / "text", numbered(3)))
    second = corpus.open_corpus(write(tmp_path / "text", numbered(4)))
    assert (len(first), len(second)) == (3, 4)
    assert first.facts["sha256"] != second.facts["sha256"]


def test_a_damaged_cache_and_a_read_only_one_are_told(tmp_path, cache, monkeypatch):
    folder = write(tmp_path / "text", numbered(3))
    corpus.open_corpus(folder)
    (place,) = (cache / "perceiver_bench" / "corpora").iterdir()
    with (place / "text").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match="is damaged; remove it"):
        corpus.open_corpus(folder)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="XDG_CACHE_HOME names another place"):
        corpus.open_corpus(folder)


def test_files_without_any_text_are_an_error(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "a.txt").write_text(" \n ")
    with pytest.raises(UserError, match="hold no text"):
        corpus.open_corpus(folder)
    assert not list((tmp_path / "cache" / "perceiver_bench" / "corpora").iterdir())


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30),
    stride=st.integers(3, 40),
    joined=st.integers(1, 12),
)
def test_crops_are_windows_of_the_joined_documents(lengths, stride, joined):
    texts = [bytes([97 + index % 26]) * length for index, length in enumerate(lengths)]
    made = corpus.Corpus(
        np.frombuffer(b"".join(texts), np.uint8), np.cumsum(lengths), {"sha256": "", "bytes": 0}
    )
    crops = corpus.Crops(made, stride, joined)
    order = np.random.default_rng(0).permutation(len(texts))
    groups = [
        b"".join(texts[i] + b"\n" for i in order[start : start + joined])
        for start in range(0, len(order), joined)
    ]
    due = [
        group[k * stride : (k + 3) * stride]
        for group in groups
        for k in range(max(len(group) // stride, 1))
    ]
    assert [crops[index]["text"] for index in range(len(crops))] == due


def test_every_fiftieth_piece_is_held_out_and_nothing_is_in_both(tmp_path):
    made = corpus.open_corpus(write(tmp_path / "text", numbered(120)))
    training, held_out = (corpus.Crops(made, 64, 1, part) for part in ("training", "held out"))
    words = [
        {
            word
            for i in range(len(crops))
            for word in crops[i]["text"].split()
            if word[-2:].isdigit()
        }
        for crops in (training, held_out)
    ]
    assert {b"doc49", b"doc99"} <= words[1]
    assert not words[0] & words[1]
    assert training.fingerprint["sha256"] != held_out.fingerprint["sha256"]
    with pytest.raises(UserError, match="nothing to evaluate on"):
        corpus.Crops(corpus.open_corpus(write(tmp_path / "b", numbered(9))), 64, 1, "held out")


def test_a_mixture_has_the_shares_it_was_asked_for(tmp_path):
    def crops(name, count):
        made = corpus.open_corpus(write(tmp_path / name, [name[0] * 120] * count))
        return corpus.Crops(made, 32, 1)

    sources = {name: crops(name, count) for name, count in (("big", 60), ("little", 5))}
    mixture = mixtures.Mixture(sources, {"big": 0.7, "little": 0.3})
    found = [mixture[index]["text"][:1] for index in range(len(mixture))]
    assert found.count(b"b") >= len(sources["big"])
    assert found.count(b"l") / len(found) == pytest.approx(0.3, abs=0.01)
    assert mixture.fingerprint["little"]["share"] == 0.3


def test_a_sample_is_spread_over_its_source(tmp_path):
    crops = corpus.Crops(corpus.open_corpus(write(tmp_path / "text", numbered(50))), 32, 1)
    sample = corpus.Sample(crops, 10)
    places = [index * len(crops) // 10 for index in range(10)]
    assert [sample[i]["text"] for i in range(10)] == [crops[i]["text"] for i in places]
    assert len(corpus.Sample(crops, 10**6)) == len(crops)


def test_training_batches_go_on_where_they_stopped_with_the_same_random_changes(tmp_path):
    crops = corpus.Crops(corpus.open_corpus(write(tmp_path / "text", numbered(40))), 32, 3)

    def prepare(example, generator):
        return {"index": np.array(example["index"]), "drawn": np.array(generator.random())}

    first = pipeline.training_batches(crops, prepare, 4, seed=1, num_steps=100)
    for _ in range(3):
        next(first)
    state = first.position
    due = [next(first) for _ in range(3)]
    second = pipeline.training_batches(crops, prepare, 4, seed=1, num_steps=100)
    second.move_to(state)
    for batch in due:
        again = next(second)
        assert all(np.array_equal(batch[name], again[name]) for name in batch)
    drawn = np.concatenate([batch["drawn"] for batch in due])
    assert len(set(drawn)) == len(drawn)
