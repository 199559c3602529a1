# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""docs/cluster/jobset.yaml against the definitions of Kubernetes and of JobSet.

The fields are those of JobSet's v1alpha2 types, and of Kubernetes' v1 types the ones that the
manifest may need; their rules beyond names and types are tests of their own.
"""

import copy
import math
import pathlib
import re

import pytest
import yaml
from absl import flags

from perceiver_bench import options, registry

MANIFEST = pathlib.Path(__file__).resolve().parents[1] / "docs" / "cluster" / "jobset.yaml"

# A schema is a type, a pattern of a text, a set of allowed values, [schema of all elements] or
# {field: schema}. Fields with a star are required; "*" alone stands for fields of any name.
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[KMGTPE]i?|k)?")
METADATA = {
    "name*": LABEL,
    "namespace*": LABEL,
    "labels": {"*": str},
    "annotations": {"*": str},
}
CONTAINER = {
    "name*": LABEL,
    "image*": str,
    "imagePullPolicy": {"Always", "Never", "IfNotPresent"},
    "command": [str],
    "args": [str],
    "workingDir": str,
    "env": [{"name*": str, "value": str, "valueFrom": {"*": dict}}],
    "ports": [{"containerPort*": int, "name": str, "protocol": {"TCP", "UDP", "SCTP"}}],
    "resources": {"limits": {"*": QUANTITY}, "requests": {"*": QUANTITY}},
    "volumeMounts": [{"name*": LABEL, "mountPath*": str, "readOnly": bool, "subPath": str}],
    "securityContext": dict,
}
VOLUME = {
    "name*": LABEL,
    "persistentVolumeClaim": {"claimName*": str, "readOnly": bool},
    "emptyDir": {"medium": {"", "Memory"}, "sizeLimit": QUANTITY},
    "hostPath": {"path*": str, "type": str},
    "nfs": {"server*": str, "path*": str, "readOnly": bool},
}
POD = {
    "containers*": [CONTAINER],
    "restartPolicy*": {"Never", "OnFailure"},
    "serviceAccountName": LABEL,
    "terminationGracePeriodSeconds": int,
    "subdomain": LABEL,
    "hostname": LABEL,
    "hostNetwork": bool,
    "dnsPolicy": {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
    "nodeSelector": {"*": str},
    "affinity": dict,
    "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
    "imagePullSecrets": [{"name*": str}],
    "priorityClassName": str,
    "volumes": [VOLUME],
}
JOB = {
    "parallelism*": int,
    "completions*": int,
    "completionMode*": {"Indexed", "NonIndexed"},
    "backoffLimit": int,
    "activeDeadlineSeconds": int,
    "ttlSecondsAfterFinished": int,
    "suspend": bool,
    "podFailurePolicy": {"rules*": [dict]},
    "template*": {"metadata": {"labels": {"*": str}, "annotations": {"*": str}}, "spec*": POD},
}
REPLICATED_JOB = {
    "name*": LABEL,
    "groupName": LABEL,
    "replicas": int,
    "dependsOn": [{"name*": LABEL, "status*": {"Ready", "Complete"}}],
    "template*": {"metadata": {"labels": {"*": str}, "annotations": {"*": str}}, "spec*": JOB},
}
FAILURE_RULE = {
    "name": re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"),
    "action*": {"FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"},
    "onJobFailureReasons": [
        {
            *("BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes"),
            *("MaxFailedIndexesExceeded", "PodFailurePolicy"),
        }
    ],
    "targetReplicatedJobs": [LABEL],
}
JOBSET = {
    "replicatedJobs*": [REPLICATED_JOB],
    "network": {"enableDNSHostnames": bool, "subdomain": str, "publishNotReadyAddresses": bool},
    "successPolicy": {"operator*": {"All", "Any"}, "targetReplicatedJobs": [LABEL]},
    "failurePolicy": {
        "maxRestarts": int,
        "restartStrategy": {"Recreate", "BlockingRecreate"},
        "rules": [FAILURE_RULE],
    },
    "coordinator": {"replicatedJob*": LABEL, "jobIndex": int, "podIndex": int},
    "suspend": bool,
    "managedBy": str,
    "ttlSecondsAfterFinished": int,
}
RBAC = "rbac.authorization.k8s.io"
KINDS = {
    ("v1", "ServiceAccount"): {},
    (f"{RBAC}/v1", "Role"): {
        "rules": [{"apiGroups": [str], "resources": [str], "verbs*": [str], "resourceNames": [str]}]
    },
    (f"{RBAC}/v1", "RoleBinding"): {
        "roleRef*": {"apiGroup*": {RBAC}, "kind*": {"Role", "ClusterRole"}, "name*": LABEL},
        # The API asks a service account for its namespace, and a user for none.
        "subjects": [{"kind*": {"ServiceAccount"}, "name*": LABEL, "namespace*": LABEL}],
    },
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): {"spec*": JOBSET},
}


def mistakes(value, schema, place="") -> list[str]:
    """Returns what of a value does not satisfy a schema, each with its place."""
    if isinstance(schema, type):
        return [] if type(value) is schema else [f"{place}: {schema.__name__} is due"]
    if isinstance(schema, set):
        return [] if value in schema else [f"{place}: {value!r} is none of {sorted(schema)}"]
    if isinstance(schema, re.Pattern):
        fits = isinstance(value, str) and schema.fullmatch(value)
        return [] if fits else [f"{place}: {value!r} does not fit"]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{place}: a list is due"]
        return [m for i, one in enumerate(value) for m in mistakes(one, schema[0], f"{place}[{i}]")]
    if not isinstance(value, dict):
        return [f"{place}: an object is due"]
    required = {name[:-1] for name in schema if name.endswith("*") and name != "*"}
    fields = {name if name == "*" else name.rstrip("*"): part for name, part in schema.items()}
    found = [f"{place}.{name}: is missing" for name in sorted(required - set(value))]
    for name, part in value.items():
        known = fields.get(name, fields.get("*"))
        where = f"{place}.{name}"
        found += [f"{where}: no such field"] if known is None else mistakes(part, known, where)
    return found


def mistakes_of(document: dict) -> list[str]:
    kind = (str(document.get("apiVersion")), str(document.get("kind")))
    if kind not in KINDS:
        return [f"no such kind: {kind}"]
    common = {"apiVersion*": str, "kind*": str, "metadata*": METADATA}
    return mistakes(document, common | KINDS[kind])


@pytest.fixture
def documents() -> dict[str, dict]:
    """The objects of the manifest by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture
def jobset(documents) -> dict:
    return documents["JobSet"]


@pytest.fixture
def job(jobset) -> dict:
    return jobset["spec"]["replicatedJobs"][0]["template"]["spec"]


@pytest.fixture
def pod(job) -> dict:
    return job["template"]["spec"]


@pytest.fixture
def container(pod) -> dict:
    [only] = pod["containers"]
    return only


def test_every_object_satisfies_its_schema(documents):
    assert sorted(documents) == ["JobSet", "Role", "RoleBinding", "ServiceAccount"]
    for document in documents.values():
        assert mistakes_of(document) == []


JOB_PLACE = ("spec", "replicatedJobs", 0, "template", "spec")
POD_PLACE = (*JOB_PLACE, "template", "spec")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("apiVersion",), "jobset.x-k8s.io/v1alpha1", "no such kind"),
        (("metadata", "name"), "Perceiver_1", ".metadata.name: 'Perceiver_1' does not fit"),
        (("spec", "replicatedJob"), [], ".spec.replicatedJob: no such field"),
        ((*JOB_PLACE, "parallelism"), "2", ".parallelism: int is due"),
        ((*JOB_PLACE, "backoffLimit"), True, ".backoffLimit: int is due"),
        ((*JOB_PLACE, "completionMode"), "indexed", ".completionMode: 'indexed' is none of"),
        ((*POD_PLACE, "restartPolicy"), "Always", ".restartPolicy: 'Always' is none of"),
        ((*POD_PLACE, "restartPolicy"), None, ".restartPolicy: is missing"),
        ((*POD_PLACE, "containers", 0, "args"), "--mode=train", ".args: a list is due"),
        ((*POD_PLACE, "containers", 0, "args", 0), 3, ".args[0]: str is due"),
        (
            (*POD_PLACE, "containers", 0, "resources", "limits", "nvidia.com/gpu"),
            "eight",
            "'eight' does not fit",
        ),
    ],
    ids=lambda value: ".".join(map(str, value[-2:])) if isinstance(value, tuple) else "",
)
def test_the_schema_finds_mistakes(jobset, place, value, message):
    broken = copy.deepcopy(jobset)
    *parents, last = place
    parent = broken
    for key in parents:
        parent = parent[key]
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    found = mistakes_of(broken)
    assert len(found) == 1
    assert message in found[0]


def test_jax_counts_the_pods_of_one_indexed_job(jobset, job, pod):
    [replicated] = jobset["spec"]["replicatedJobs"]
    assert replicated["replicas"] == 1
    assert job["parallelism"] == job["completions"] > 1
    assert job["completionMode"] == "Indexed"
    # A pod that is started again alone would wait for a run that has gone.
    assert pod["restartPolicy"] == "Never"
    assert job["backoffLimit"] == 0
    assert jobset["spec"]["failurePolicy"]["maxRestarts"] > 0


def test_jax_finds_the_headless_service_by_the_name_of_the_set(jobset, job):
    network = jobset["spec"]["network"]
    assert network["enableDNSHostnames"] is True
    assert network.get("subdomain", jobset["metadata"]["name"]) == jobset["metadata"]["name"]
    replicated = jobset["spec"]["replicatedJobs"][0]["name"]
    pod_name = f"{jobset['metadata']['name']}-{replicated}-0-{job['completions'] - 1}-abcde"
    assert LABEL.fullmatch(pod_name)


def test_the_coordinators_port_is_jax_s(container):
    kubernetes = pytest.importorskip("jax._src.clusters.k8s_cluster")
    ports = [str(port["containerPort"]) for port in container["ports"]]
    assert ports == [kubernetes.K8sCluster._coordinator_port]


def test_pods_may_read_what_jax_asks_for(documents, pod):
    account, role, binding, jobset = (
        documents[kind] for kind in ("ServiceAccount", "Role", "RoleBinding", "JobSet")
    )
    assert len({document["metadata"]["namespace"] for document in documents.values()}) == 1
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": account["metadata"]["name"],
            "namespace": jobset["metadata"]["namespace"],
        }
    ]
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {("", "pods", "list"), ("batch", "jobs", "get")} <= allowed


def test_every_volume_has_one_source_and_is_mounted(pod, container):
    assert all(len(volume) == 2 for volume in pod["volumes"])
    mounts = [mount["name"] for mount in container["volumeMounts"]]
    assert sorted(mounts) == sorted(volume["name"] for volume in pod["volumes"])


def test_the_command_is_one_of_this_package(container, job):
    assert container["command"] == ["perceiver-bench"]
    known = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(options)}
    given = dict(argument.removeprefix("--").partition("=")[::2] for argument in container["args"])
    assert set(given) <= known
    assert "distributed" in given
    task = registry.get(given["task"])
    assert given["preset"] in task.presets
    devices = job["parallelism"] * int(container["resources"]["limits"]["nvidia.com/gpu"])
    assert math.prod(int(axis.split(":")[1]) for axis in given["mesh"].split(",")) == devices
    assert task.presets[given["preset"]].train.batch_size % devices == 0
    shared = [
        mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "shared"
    ]
    for folder in ("data_dir", "workdir", "results_dir"):
        assert given[folder].startswith(f"{shared[0]}/")
