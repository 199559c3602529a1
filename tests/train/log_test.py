# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.train.log import MetricsLog, read_metrics


def test_rows_come_back_in_order_and_to_the_last_bit(tmp_path):
    log = MetricsLog(tmp_path, 0)
    log.write(1, loss=1 / 3, evaluation={"accuracy": 0.1})
    log.write(2, loss=float("nan"))
    rows = read_metrics(tmp_path / "metrics.jsonl")  # before it is closed
    assert rows[0] == {"step": 1, "loss": 1 / 3, "evaluation": {"accuracy": 0.1}}
    assert rows[1]["loss"] != rows[1]["loss"]
    log.close()


def test_a_resumed_log_drops_later_rows_and_a_line_that_was_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 5}\n{"step": 10}\n{"step": 10, "b": 1}\n{"step": 15}\n{"step": 2')
    log = MetricsLog(tmp_path, 10)
    log.write(11)
    log.close()
    assert path.read_text() == '{"step": 5}\n{"step": 10}\n{"step": 10, "b": 1}\n{"step": 11}\n'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("line", ["[1]", '{"loss": 1}', '{"step": "1"}'])
def test_a_line_that_is_no_row_is_named(line, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 1}}\n{line}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl: line 2 "):
        read_metrics(tmp_path / "metrics.jsonl")


def test_a_log_that_is_not_there_has_no_rows(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_a_full_disk_is_told_with_the_path():
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

    log = MetricsLog.__new__(MetricsLog)
    log.path, log._file = "W/metrics.jsonl", Full()
    with pytest.raises(UserError, match=r"^W/metrics\.jsonl: cannot be written: No space left"):
        log.write(1, loss=0.5)
