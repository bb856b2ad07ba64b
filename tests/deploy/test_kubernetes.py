"""The manifests of deploy/kubernetes: valid, and their settings tried on the service outside of Kubernetes.

Not tried here: how pods are spread, replaced and counted (the strategy, the spread, the budget), that a policy lets the
right ones in, and the runtime's own seccomp profile.
"""

import io
import os
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import httpx
import kubernetes_validate
import numpy as np
import pytest
import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from pipeline import serve
from serving import contract
from serving.app import ROUTES
from serving.web import deadlines, drain
from tests.deploy import pod as pods
from tests.service.server import PATIENCE_S, wait_until

FOLDER = Path("deploy/kubernetes")
NAMES = ("deployment", "service", "autoscaler", "disruption", "network")
KEY = "correct-horse-battery"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/octet-stream"}
UNITS = {"Mi": 2**20, "Gi": 2**30}
CLIENTS = 12
LOAD_S = 3.0


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


MANIFESTS = {name: read(FOLDER / f"{name}.yaml") for name in NAMES}
LABELS = MANIFESTS["deployment"]["spec"]["template"]["metadata"]["labels"]
POD = MANIFESTS["deployment"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
[PORT] = CONTAINER["ports"]
[KEYS] = CONTAINER["env"]
PROBES = {kind: CONTAINER[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
[METRIC] = MANIFESTS["autoscaler"]["spec"]["metrics"]
[RULE] = read(Path("deploy/prometheus/adapter.yaml"))["rules"]


def amount(text):
    """A quantity as Kubernetes writes it."""
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    return int(text[:-1]) / 1000 if text.endswith("m") else int(text)


WRITABLE = {
    mount["mountPath"]: amount(volume["emptyDir"]["sizeLimit"])
    for mount in CONTAINER["volumeMounts"]
    for volume in POD["volumes"]
    if volume["name"] == mount["name"]
}
MEMORY = amount(CONTAINER["resources"]["limits"]["memory"])


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_keeps_to_the_api(name):
    kubernetes_validate.validate(MANIFESTS[name], "1.37", strict=True)


def test_a_setting_that_the_api_does_not_have_is_found():
    wrong = {**MANIFESTS["service"], "spec": {**MANIFESTS["service"]["spec"], "sesionAffinity": "None"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_the_manifests_are_about_the_same_pods():
    assert read(FOLDER / "kustomization.yaml")["resources"] == [f"{name}.yaml" for name in NAMES]
    assert {file.stem for file in FOLDER.iterdir()} == {*NAMES, "kustomization"}
    selected = [
        MANIFESTS["deployment"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["service"]["spec"]["selector"],
        MANIFESTS["disruption"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["network"]["spec"]["podSelector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in POD["topologySpreadConstraints"]),
    ]
    assert all(labels == LABELS for labels in selected)
    asked = [probe["httpGet"]["port"] for probe in PROBES.values()]
    asked += [port["targetPort"] for port in MANIFESTS["service"]["spec"]["ports"]]
    asked += [port["port"] for rule in MANIFESTS["network"]["spec"]["ingress"] for port in rule["ports"]]
    assert set(asked) == {PORT["name"]}
    scaled = MANIFESTS["autoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == MANIFESTS["deployment"]["metadata"]["name"]
    assert "replicas" not in MANIFESTS["deployment"]["spec"]  # which would undo the autoscaler's at each apply
    assert MANIFESTS["disruption"]["spec"]["minAvailable"] < scaled["minReplicas"]


def test_the_image_is_made_for_the_same_user_port_and_folder():
    recipe = Path("deploy/Containerfile").read_text(encoding="utf-8")
    user, group = (POD["securityContext"][name] for name in ("runAsUser", "runAsGroup"))
    assert f"\nUSER {user}:{group}\n" in recipe
    assert f"\nEXPOSE {PORT['containerPort']}\n" in recipe
    [home] = re.findall(r"\bBENTOML_HOME=(\S+)", recipe)
    assert any(home.startswith(f"{folder}/") for folder in WRITABLE)


@pytest.fixture(scope="module")
def pod(champions_bento, tmp_path_factory):
    """The service as the Deployment has it, with the environment of its image."""
    if not pods.can_run():
        pytest.skip("this user may not make namespaces")
    folder = tmp_path_factory.mktemp("pod")
    spec = pods.Spec(
        root=str(folder / "root"),
        bento=str(champions_bento),
        command=serve.command(Path(pods.BENTO), "0.0.0.0", PORT["containerPort"]),
        environ={
            "PATH": "/usr/bin:/bin",
            "HOME": "/tmp/inkwell",
            "BENTOML_HOME": "/tmp/inkwell",
            "BENTOML_DO_NOT_TRACK": "true",
            KEYS["name"]: KEY,
        },
        user=POD["securityContext"]["runAsUser"],
        group=POD["securityContext"]["runAsGroup"],
        writable=WRITABLE,
    )
    with pods.running(spec, folder / "log", MEMORY, 2 * CLIENTS) as pod:
        began = time.monotonic()
        wait_until(lambda: probe(pod, "startup") or pod.process.poll() is not None, 2 * PATIENCE_S)
        assert pod.process.poll() is None, pod.log.read_text()
        yield SimpleNamespace(**vars(pod), started_s=time.monotonic() - began, megabytes=pod.megabytes)


def ask(pod, method, path, **options):
    """A future of the answer to a request from inside of the pod's network; None where there is none."""
    options = {"headers": HEADERS, "timeout": 10, "trust_env": False, **options}

    def run():
        try:
            return httpx.request(method, f"http://127.0.0.1:{PORT['containerPort']}{path}", **options)
        except httpx.TransportError:
            return None

    return pod.inside.submit(run)


def probe(pod, kind):
    """Whether a probe succeeds, asked as Kubernetes does: without a key, by its path and within its time."""
    asked = PROBES[kind]
    answer = ask(pod, "GET", asked["httpGet"]["path"], headers={}, timeout=asked["timeoutSeconds"]).result()
    return answer is not None and 200 <= answer.status_code < 400


def processes(pod):
    return [pod.first, *pod.first.children(recursive=True)]


def status_of(process):
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


@pytest.mark.slow
def test_it_starts_in_time_and_every_probe_succeeds(pod):
    assert pod.started_s < PROBES["startup"]["periodSeconds"] * PROBES["startup"]["failureThreshold"]
    assert all(probe(pod, kind) for kind in PROBES)
    assert ask(pod, "GET", "/model", headers={}).result().status_code == 401
    assert ask(pod, "GET", "/model").result().status_code == 200


@pytest.mark.slow
def test_it_runs_as_a_user_without_privileges_on_a_root_that_cannot_be_written_to(pod):
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert len(processes(pod)) == 2
    for process in processes(pod):
        status = status_of(process)
        assert set(status["Uid"].split()) == {str(POD["securityContext"]["runAsUser"])}
        assert set(status["Gid"].split()) == {str(POD["securityContext"]["runAsGroup"])}
        assert status["NoNewPrivs"] == "1"
        assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    mounts = Path(f"/proc/{pod.first.pid}/mountinfo").read_text(encoding="utf-8").splitlines()
    places = {line.split()[4]: line.split()[5].split(",") for line in mounts}
    assert {place for place, options in places.items() if "rw" in options} == {*WRITABLE, "/proc"}


@pytest.mark.slow
def test_it_needs_no_way_out(pod):
    assert MANIFESTS["network"]["spec"]["egress"] == []
    interfaces = Path(f"/proc/{pod.first.pid}/net/dev").read_text(encoding="utf-8").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def counted(pod):
    """What the autoscaler's metric is made of, as the rule of the adapter says: the sum of seconds, by the rule's
    series and labels."""
    endpoints = re.search(r'endpoint=~"([^"]+)"', RULE["metricsQuery"])
    series = re.match(r"\w+", RULE["seriesQuery"])
    assert endpoints
    assert series
    families = text_string_to_metric_families(ask(pod, "GET", "/metrics").result().text)
    samples = [sample for family in families for sample in family.samples if sample.name == series[0]]
    assert samples
    return sum(sample.value for sample in samples if re.fullmatch(endpoints[1], sample.labels["endpoint"]))


def test_the_rule_makes_the_metric_that_the_autoscaler_asks_for():
    matches, made = RULE["name"]["matches"], RULE["name"]["as"]
    series = re.match(r"\w+", RULE["seriesQuery"])
    assert series
    assert re.sub(matches, made, series[0]) == METRIC["pods"]["metric"]["name"]
    [endpoints] = re.findall(r'endpoint=~"([^"]+)"', RULE["metricsQuery"])
    assert set(endpoints.split("|")) == {route.path for route in ROUTES if "POST" in (route.methods or ())}


@pytest.fixture(scope="module")
def loaded(pod):
    """What was seen of the pod before, and while it was asked for the most that it takes."""
    noise = np.random.default_rng(0).integers(0, 256, (625, 625), np.uint8)
    photo = io.BytesIO()
    Image.fromarray(np.tile(noise, (8, 8))).save(photo, "JPEG", quality=10)
    images = np.random.default_rng(1).integers(0, 256, (contract.MAX_BATCH, 784), np.uint8).tobytes()
    small = Image.fromarray(noise[:280, :280])
    png = io.BytesIO()
    small.save(png, "PNG")
    kinds = [
        ("/predict", photo.getvalue()),
        ("/predict_pixels", images),
        ("/explain", png.getvalue()),
        ("/compare", png.getvalue()),
        ("/predict", bytes(contract.MAX_BODY_BYTES)),
    ]
    idle, first = counted(pod), time.monotonic()
    time.sleep(1)
    before, began = counted(pod), time.monotonic()
    asked: list[tuple[str, Future[httpx.Response | None]]] = []
    megabytes, alive, shares = [], [], []
    while (loading := time.monotonic() - began < LOAD_S) or not all(one.done() for _, one in asked):
        if loading and sum(not one.done() for _, one in asked) < CLIENTS:
            asked += [(path, ask(pod, "POST", path, content=body)) for path, body in kinds]
        megabytes.append(pod.megabytes())
        shares.append(used(pod))
        alive.append(probe(pod, "liveness"))
    took = time.monotonic() - began
    return SimpleNamespace(
        idle_in_hand=(before - idle) / (began - first),
        in_hand=(counted(pod) - before) / took,
        statuses=Counter((path, getattr(one.result(), "status_code", None)) for path, one in asked),
        megabytes=megabytes,
        alive=alive,
        shares=shares,
    )


def used(pod):
    """How full the folders are that can be written to, the fullest of them, as a share."""
    found = [os.statvfs(f"/proc/{pod.first.pid}/root{folder}") for folder in WRITABLE]
    return max(1 - one.f_bfree / one.f_blocks for one in found)


@pytest.mark.slow
def test_under_load_it_keeps_to_its_memory_and_stays_alive(pod, loaded):
    assert loaded.statuses["/predict", 200] > 0
    assert {status for _, status in loaded.statuses} <= {200, 415, 503}
    assert loaded.megabytes[0] * 1e6 < amount(CONTAINER["resources"]["requests"]["memory"])
    assert max(loaded.megabytes) * 1e6 < MEMORY
    assert max(loaded.shares) < 0.5
    assert sum(loaded.alive) > len(loaded.alive) / 2
    assert pod.log.read_text(encoding="utf-8").count("Service inkwell initialized") == 1


@pytest.mark.slow
def test_the_autoscaler_adds_pods_under_load_and_none_without(loaded):
    target = amount(METRIC["pods"]["target"]["averageValue"])
    assert loaded.idle_in_hand < target / 2
    assert loaded.in_hand > target


@pytest.mark.slow
def test_a_worker_that_hangs_is_found_out(pod):
    [worker] = pod.first.children()
    worker.suspend()
    try:
        assert not probe(pod, "liveness")
    finally:
        worker.resume()
    wait_until(lambda: all(probe(pod, kind) for kind in PROBES))


@pytest.mark.slow
def test_it_drains_within_the_time_that_it_is_given(pod):
    """The last test of the pod: what was half sent when SIGTERM came is answered, and nothing is killed."""
    given = POD["terminationGracePeriodSeconds"] - CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert given > drain.DRAIN_S + contract.BODY_DEADLINE_S + deadlines.ANSWER_DEADLINE_S
    begun = threading.Event()

    def slowly():
        yield bytes(392)
        begun.set()
        time.sleep(2 * drain.DRAIN_S)
        yield bytes(392)

    answer = ask(pod, "POST", "/predict_pixels", content=slowly(), headers=HEADERS | {"Content-Length": "784"})
    assert begun.wait(10)
    assert ask(pod, "GET", "/model").result().status_code == 200  # which was accepted after the other
    began = time.monotonic()
    pod.first.send_signal(signal.SIGTERM)
    assert answer.result().status_code == 200
    assert pod.process.wait(given) == 0
    assert time.monotonic() - began > drain.DRAIN_S
