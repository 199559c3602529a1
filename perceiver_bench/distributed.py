# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes as one program, on JAX's distributed runtime.

Every process runs the same command. What they exchange outside of compiled programs goes through
`gather`; what only one may do, such as writing a log, is done where `is_first()`. A process that
ends before the others ends them all (`_Lifeline`), for they would wait for it without end.
"""

import atexit
import json
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from perceiver_bench.errors import UserError

START_SECONDS = 60
"""How long a process waits for a named coordinator."""

# Machines of a cluster begin one after another, and may have to fetch an image first.
_CLUSTER_START_SECONDS = 300

# Of a host that vanished without a word: asked after 10 seconds, given up 30 seconds later.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_GOODBYE = b"\xff\xff\xff\xff"


def start(coordinator: str | None, process_id: int | None, num_processes: int | None) -> None:
    """Joins the other processes; without arguments JAX finds out from the cluster who they are.

    Raises:
        UserError: if the coordinator cannot be reached in time, an argument is missing, or no
            cluster is there to be asked.
    """
    if coordinator is not None:
        _check(coordinator, process_id, num_processes)
        if process_id:
            _await_coordinator(coordinator)
    elif process_id is not None or num_processes is not None:
        raise UserError("--coordinator=HOST:PORT is missing beside --process_id, --num_processes")
    try:
        if coordinator is None:
            jax.distributed.initialize(initialization_timeout=_CLUSTER_START_SECONDS)
        else:
            jax.distributed.initialize(
                *(coordinator, num_processes, process_id),
                # What is given says it all; a cluster might give a process another device.
                cluster_detection_method="deactivate",
                initialization_timeout=START_SECONDS,
            )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        if coordinator is None:
            raise UserError(
                f"--distributed: no cluster was found ({reason}); give --coordinator=HOST:PORT,"
                " --process_id and --num_processes"
            ) from error
        raise UserError(f"--coordinator={coordinator}: {reason}") from error
    if jax.process_count() > 1:
        _Lifeline().start()


def is_first() -> bool:
    """Whether this process writes what is written once. True of a single process."""
    return jax.process_index() == 0


def is_alone() -> bool:
    """Whether there is no other process."""
    return jax.process_count() == 1


def gather(content: bytes) -> list[bytes]:
    """Returns what every process gave, in the order of their numbers; waits for all."""
    if is_alone():
        return [content]
    # The runtime exchanges arrays of equal shape only.
    sizes = multihost_utils.process_allgather(np.array([len(content)], np.int32))
    sizes = np.asarray(sizes).reshape(-1)
    padded = np.zeros(max(int(sizes.max()), 1), np.uint8)
    padded[: len(content)] = np.frombuffer(content, np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded)).reshape(len(sizes), -1)
    return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]


def wait_for_all() -> None:
    """Returns when every process has come here."""
    gather(b"")


def check_alike(facts: Mapping[str, Any]) -> None:
    """Raises UserError, in all processes, unless they were started with the same `facts`.

    The facts are JSON values by the names that the error gives them.
    """
    everyone = [json.loads(one) for one in gather(json.dumps(facts).encode())]
    for process, other in enumerate(everyone):
        for name, expected in everyone[0].items():
            if other.get(name) != expected:
                raise UserError(
                    f"process {process} was started with {name}={other.get(name)}, process 0 with"
                    f" {expected}; start all with the same flags and data"
                )


def reached_stop(step: int) -> bool:
    """Whether SIGTERM came to any process; true in all of them at the same step."""
    return multihost_utils.reached_preemption_sync_point(step)


def await_loss() -> None:
    """Gives the lifeline time to say which process was lost, if that is why something failed."""
    if not is_alone():
        time.sleep(5)


def _check(coordinator: str, process_id: int | None, num_processes: int | None) -> None:
    for name, value in (("process_id", process_id), ("num_processes", num_processes)):
        if value is None:
            raise UserError(f"--{name} is missing beside --coordinator={coordinator}")
    assert process_id is not None
    assert num_processes is not None
    if process_id >= num_processes:
        raise UserError(
            f"--process_id={process_id}: the {num_processes} processes are numbered from 0"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--coordinator={coordinator}: a host and a port are due, as in node1:1234")


def _await_coordinator(coordinator: str) -> None:
    """Raises UserError unless the coordinator listens in time: the runtime would abort."""
    host, _, port = coordinator.rpartition(":")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except (OSError, OverflowError) as error:
            if time.monotonic() > deadline or isinstance(error, (socket.gaierror, OverflowError)):
                raise UserError(
                    f"--coordinator={coordinator}: not reached within {START_SECONDS} seconds"
                    f" ({error}); start process 0, and name the host that it runs on"
                ) from error
            time.sleep(0.2)


class _Lifeline(threading.Thread):
    """A connection between the first process and each other one, which breaks when one ends.

    Collective operations wait for a lost process for ever on some platforms, and the runtime's
    own heartbeat aborts with pages of addresses. A process that ends in order says goodbye;
    when another connection breaks, all that are left say which process it was, and end.
    """

    def __init__(self) -> None:
        super().__init__(name="lifeline", daemon=True)
        self._ended = False
        if is_first():
            listener = socket.create_server(("", 0), backlog=jax.process_count())
            port = listener.getsockname()[1]
            gather(str(port).encode())
            self._peers = {}
            for _ in range(jax.process_count() - 1):
                peer, _ = listener.accept()
                self._peers[int.from_bytes(_receive(peer), "big")] = peer
            listener.close()
        else:
            port = int(gather(b"")[0])
            peer = socket.create_connection((_coordinator_host(), port), START_SECONDS)
            peer.settimeout(None)
            peer.sendall(jax.process_index().to_bytes(4, "big"))
            self._peers = {0: peer}
        for peer in self._peers.values():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, seconds in _KEEPALIVE.items():
                if hasattr(socket, name):
                    peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
        atexit.register(self._end)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for process, peer in self._peers.items():
                selector.register(peer, selectors.EVENT_READ, process)
            while selector.get_map():
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    message = _receive(key.fileobj)
                    if message == _GOODBYE:
                        selector.unregister(key.fileobj)
                    elif not self._ended:
                        self._give_up(int.from_bytes(message, "big") if message else key.data)

    def _give_up(self, lost: int) -> None:
        for peer in self._peers.values():
            try:
                peer.sendall(lost.to_bytes(4, "big"))
            except OSError:
                continue
        print(
            f"perceiver-bench: process {lost} of {jax.process_count()} was lost; start all again,"
            " and training goes on from its last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)

    def _end(self) -> None:
        self._ended = True
        for peer in self._peers.values():
            try:
                peer.sendall(_GOODBYE)
            except OSError:
                continue


def _receive(peer: socket.socket) -> bytes:
    """Returns the next four bytes, or none where the connection is broken."""
    try:
        return peer.recv(4, socket.MSG_WAITALL)
    except OSError:
        return b""


def _coordinator_host() -> str:
    """Returns the host of the first process, which the cluster may have told to JAX alone."""
    from jax._src import distributed

    address = distributed.global_state.coordinator_address
    assert address is not None
    return address.rpartition(":")[0].strip("[]")
