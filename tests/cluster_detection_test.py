# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What JAX's own detection makes of the environment that each launcher sets.

The classes are private to JAX; where they move, these tests skip. The variables here are those
that docs/cluster.md names.
"""

import contextlib
import os
import pathlib
import socket
import sys
import types

import pytest
import yaml

clusters = pytest.importorskip("jax._src.clusters")
cluster = pytest.importorskip("jax._src.clusters.cluster")
cloud_tpu = pytest.importorskip("jax._src.clusters.cloud_tpu_cluster")
kubernetes = pytest.importorskip("jax._src.clusters.k8s_cluster")

MANIFEST = pathlib.Path(__file__).resolve().parents[1] / "docs" / "cluster" / "jobset.yaml"
LAUNCHERS = ("SLURM_", "OMPI_", "KUBERNETES_", "TPU_", "MEGASCALE_", "JAX_COORDINATOR", "JOB_")


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    """Hides the cluster that the tests themselves may run on, and names all hosts known."""
    for name in os.environ:
        if name.startswith(LAUNCHERS):
            monkeypatch.delenv(name)
    monkeypatch.setattr(cluster, "running_in_cloud_tpu_vm", False)
    monkeypatch.setattr(cloud_tpu, "running_in_cloud_tpu_vm", False)
    monkeypatch.setattr(socket, "gethostbyname", lambda name: f"address of {name}")


@pytest.fixture
def environment(monkeypatch):
    def set_all(**variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return set_all


def detect():
    """Returns coordinator, number of processes, process id, and GPUs of the process (None: all)."""
    return clusters.ClusterEnv.auto_detect_unset_distributed_params(
        None, None, None, None, None, 60
    )


def test_without_a_launcher_nothing_is_found():
    assert detect() == (None, None, None, None)


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node001", "node001"),
        ("node[007-008]", "node007"),
        ("node[007,012]", "node007"),
        ("gpu-a,gpu-b", "gpu-a"),
    ],
)
def test_slurm(environment, hosts, first):
    environment(
        SLURM_JOB_ID=4711,
        SLURM_STEP_NODELIST=hosts,
        SLURM_NTASKS=16,
        SLURM_PROCID=11,
        SLURM_LOCALID=3,
    )
    # The port comes from the job's id: 65535 - 4095 + 4711 % 4096.
    assert detect() == (f"{first}:62055", 16, 11, [3])
    environment(JAX_COORDINATOR_PORT=1234)
    assert detect()[0] == f"{first}:1234"


def test_slurm_outside_of_srun_is_no_cluster(environment):
    # In the batch script itself there is no step, and no process id.
    environment(SLURM_JOB_ID=4711, SLURM_NTASKS=16)
    assert detect() == (None, None, None, None)


def test_open_mpi(environment):
    environment(
        OMPI_MCA_orte_hnp_uri="1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
        OMPI_COMM_WORLD_SIZE=16,
        OMPI_COMM_WORLD_RANK=11,
        OMPI_COMM_WORLD_LOCAL_RANK=3,
    )
    port = 65535 - 4095 + (1531576320 // 4096) % 4096
    assert detect() == (f"10.96.0.1:{port}", 16, 11, [3])


def test_open_mpi_5_is_not_detected(environment):
    # Its mpirun no longer sets the address of the launcher, so docs/cluster.md names a coordinator.
    environment(OMPI_COMM_WORLD_SIZE=16, OMPI_COMM_WORLD_RANK=11, OMPI_COMM_WORLD_LOCAL_RANK=3)
    assert detect() == (None, None, None, None)


@pytest.mark.parametrize("endpoints", ["host-0,host-1,host-2,host-3", None])
def test_a_tpu_slice(monkeypatch, endpoints):
    endpoints = endpoints or "a:0:host-0,b:1:host-1,c:2:host-2,d:3:host-3"
    metadata = {
        "agent-worker-number": "2",
        "worker-network-endpoints": endpoints,
        "tpu-env": "ACCELERATOR_TYPE: 'v4-32'\nZONE: 'us-central2-b'",
    }
    monkeypatch.setattr(cluster, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(cloud_tpu, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(cloud_tpu, "get_metadata", lambda key: (metadata[key], 200))
    assert detect() == ("host-0:8482", 4, 2, None)


def test_a_tpu_slice_in_kubernetes(monkeypatch, environment):
    monkeypatch.setattr(cluster, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(cloud_tpu, "running_in_cloud_tpu_vm", True)
    # A node of GKE hides the number of its worker; the pod's variables have it.
    monkeypatch.setattr(cloud_tpu, "get_metadata", lambda _: ("", 404))
    environment(TPU_WORKER_HOSTNAMES="pod-0.set,pod-1.set", TPU_WORKER_ID=1)
    assert detect() == ("pod-0.set:8482", 2, 1, None)
    # Two slices: the controller of the set names the first host of the first.
    environment(
        MEGASCALE_COORDINATOR_ADDRESS="first.set:8080", MEGASCALE_NUM_SLICES=2, MEGASCALE_SLICE_ID=1
    )
    assert detect() == ("first.set:8482", 4, 3, None)


def named(**fields: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(**fields)


@pytest.fixture
def pod(monkeypatch, environment):
    """Gives a function that puts the process into a pod of the manifest, by its number.

    The names and labels are those that the JobSet and Job controllers give.
    """
    jobset = list(yaml.safe_load_all(MANIFEST.read_text()))[-1]
    name = jobset["metadata"]["name"]
    replicated = jobset["spec"]["replicatedJobs"][0]
    template = replicated["template"]["spec"]
    job_name = f"{name}-{replicated['name']}-0"
    job = named(
        metadata=named(name=job_name, labels={"jobset.sigs.k8s.io/jobset-name": name}),
        spec=named(parallelism=template["parallelism"]),
    )
    asked = []

    def read_namespaced_job(name: str, namespace: str):
        asked.append(("get", "jobs", name, namespace))
        return job

    def list_namespaced_pod(namespace: str, field_selector: str):
        asked.append(("list", "pods", field_selector, namespace))
        metadata = named(
            name="the pod",
            labels={"job-name": job_name},
            owner_references=[named(controller=True, kind="Job")],
        )
        return named(items=[named(metadata=metadata, spec=named(subdomain=name))])

    client = named(
        CoreV1Api=lambda: named(list_namespaced_pod=list_namespaced_pod),
        BatchV1Api=lambda: named(read_namespaced_job=read_namespaced_job),
        exceptions=named(ApiException=ConnectionError),
    )
    package = types.ModuleType("kubernetes")
    vars(package).update(client=client, config=named(load_incluster_config=lambda: None))
    monkeypatch.setitem(sys.modules, "kubernetes", package)
    monkeypatch.setattr(kubernetes.K8sCluster, "_namespace", lambda: "default")

    def enter(number: int):
        environment(KUBERNETES_SERVICE_HOST="10.0.0.1", HOSTNAME=f"{job_name}-{number}")
        if template["completionMode"] == "Indexed":
            environment(JOB_COMPLETION_INDEX=number)
        return asked

    def forget() -> None:
        for method in ("_pod", "_job", "_controller"):
            getattr(kubernetes.K8sCluster, method).cache_clear()

    with contextlib.ExitStack() as stack:
        stack.callback(forget)
        forget()
        yield enter


@pytest.mark.parametrize("number", [0, 1])
def test_the_pods_of_the_jobset(pod, number):
    asked = pod(number)
    assert detect() == ("perceiver-workers-0-0.perceiver:55527", 2, number, None)
    address = f"status.podIP=address of perceiver-workers-0-{number}"
    assert asked == [
        ("list", "pods", address, "default"),
        ("get", "jobs", "perceiver-workers-0", "default"),
    ]


def test_kubernetes_without_its_package_is_no_cluster(pod, monkeypatch):
    pod(0)
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.warns(UserWarning, match=r"jax\[k8s\]"):
        assert detect() == (None, None, None, None)
