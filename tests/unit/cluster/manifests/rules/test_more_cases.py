"""Further ways to break a rule that has more than one: each is refused; and what looks alike and is right, is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from cluster.manifests.objects import Overlay
from cluster.manifests.rules import RULES
from cluster.manifests.rules.rule import ABSENT, OPTIONS, Change
from tests.unit.cluster.manifests.rules.changes import with_changes

BY_ID = {rule.id: rule for rule in RULES}
DEV, API = "RayCluster retail-dev", "RayService retail-api"
MIGRATE, CRON = "Job retail-migrate", "CronJob retail-daily-refresh"
CONFIG, TEMPLATES = "ConfigMap retail-settings", "ConfigMap retail-job-templates"
HEAD, ETL = "spec.headGroupSpec", "spec.workerGroupSpecs.0"
HEAD_POD, ETL_POD, JOB_POD = f"{HEAD}.template.spec", f"{ETL}.template.spec", "spec.template.spec"
SERVICE = "spec.rayClusterConfig"
GATEWAY = "spec.serveConfigV2.applications.0.deployments.0"

LAUNCHER = "spec.jobTemplate.spec.template.spec.containers.0"
BUDGET, QUOTA = "PodDisruptionBudget retail-api-serve", "ResourceQuota retail"
NETWORK = "NetworkPolicy retail-"
DNS_PORTS = "spec.egress.0.ports"
TCP_RANGE = [{"protocol": "TCP", "port": 10002, "endPort": 65535}]


def policy(rule: dict[str, Any], direction: str = "ingress") -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": [direction.capitalize()], direction: [rule]}
    metadata = {"name": "example", "namespace": "retail"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def ingress(name: str, port: dict[str, Any]) -> dict[str, Any]:
    backend = {"service": {"name": name, "port": port}}
    metadata = {"name": "edge", "namespace": "retail"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {
        "rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}  # fmt: skip


REFUSED: list[tuple[str, str, str, Any]] = [
    ("ray-names", API, "metadata.name", "retail-api-" + 40 * "x"),
    ("ray-names", DEV, "metadata.name", "retail-dev-" + 45 * "x"),
    ("group-names", API, f"{SERVICE}.workerGroupSpecs.1.groupName", "serve"),
    ("group-names", DEV, f"{ETL}.groupName", "ETL"),
    ("namespaces", CONFIG, "metadata.namespace", ABSENT),
    ("group-bounds-stated", DEV, f"{ETL}.maxReplicas", ABSENT),
    ("group-bounds", DEV, f"{ETL}.minReplicas", -1),
    ("no-replicas", DEV, f"{ETL}.scaleStrategy", {"workersToDelete": []}),
    ("resources-once", API, f"{SERVICE}.headGroupSpec.rayStartParams.memory", "1000000000"),
    ("autoscaling-on", DEV, "spec.enableInTreeAutoscaling", ABSENT),
    ("autoscaler-v2", DEV, "spec.autoscalerOptions.version", ABSENT),
    ("idle-times", DEV, "spec.autoscalerOptions.idleTimeoutSeconds", -1),
    ("idle-times", DEV, f"{ETL}.idleTimeoutSeconds", ABSENT),
    ("restart-policy", DEV, f"{HEAD_POD}.restartPolicy", "Always"),
    ("head-cpu", DEV, f"{HEAD}.resources.CPU", ABSENT),
    ("spark-cpu", DEV, "spec.workerGroupSpecs.1.resources", {"CPU": "0"}),
    ("spark-cpu", DEV, f"{ETL}.resources.spark", "1"),
    ("ft-annotations", API, "metadata.annotations.[ray.io/external-storage-namespace]", "retail"),
    ("ft-variables", API, f"{SERVICE}.headGroupSpec.template.spec.containers.0.env",
     [{"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "retail-redis", "key": "password"}}}]),
    ("ft-params", DEV, f"{HEAD}.rayStartParams.redis-username", "retail"),
    ("ft-of-services", API, f"{SERVICE}.gcsFaultToleranceOptions", ABSENT),
    ("ft-of-services", DEV, "spec.gcsFaultToleranceOptions", {"redisAddress": "redis://retail-redis:6379"}),
    ("token-auth", DEV, "spec.authOptions", ABSENT),
    ("token-variables", DEV, f"{ETL_POD}.containers.0.env", [{"name": "RAY_AUTH_TOKEN", "value": "known"}]),
    ("upgrade-type", API, "spec.upgradeStrategy", ABSENT),
    ("upgrade-type", API, "spec.upgradeStrategy.type", "None"),
    ("initializing-timeout", API, "metadata.annotations.[ray.io/initializing-timeout]", "0"),
    ("initializing-timeout", API, "metadata.annotations.[ray.io/initializing-timeout]", "half an hour"),
    ("ports", DEV, f"{ETL_POD}.containers.0.ports", ABSENT),
    ("serve-listens", API, "spec.serveConfigV2.http_options.port", 9000),
    ("serve-listens", API, "spec.serveConfigV2.http_options", ABSENT),
    ("serve-listens", API, "spec.serveConfigV2.proxy_location", "HeadOnly"),
    ("job-template", TEMPLATES, "data.[daily-refresh.json].kind", "RayCluster"),
    ("job-template", TEMPLATES, "data.[daily-refresh.json]", "no JSON"),
    ("executors-fit-group", CONFIG, "data.RETAIL_SPARK_INITIAL_EXECUTORS", "2"),
    ("executors-fit-group", CONFIG, "data.RETAIL_SPARK_MAX_EXECUTORS", ABSENT),
    ("executors-fit-group", CONFIG, "data.RETAIL_SPARK_MAX_EXECUTORS", "many"),
    ("spark-resources", CONFIG, "data.RETAIL_SPARK_EXECUTOR_RESOURCE", ABSENT),
    ("replicas-fit-groups", API, f"{GATEWAY}.ray_actor_options.num_cpus", 2),
    ("memory-fixed", DEV, "spec.autoscalerOptions.resources", ABSENT),
    ("memory-fixed", MIGRATE, f"{JOB_POD}.containers.0.resources.limits.memory", ABSENT),
    ("disk-limited", MIGRATE, f"{JOB_POD}.containers.0.resources.requests.ephemeral-storage", ABSENT),
    ("ray-folders", DEV, f"{HEAD_POD}.volumes.2.emptyDir.medium", ABSENT),
    ("ray-sees-what-is-there", DEV, f"{ETL}.resources.memory", "64Gi"),
    ("time-to-drain", API, f"{SERVICE}.headGroupSpec.template.spec.terminationGracePeriodSeconds", ABSENT),
    ("folders-mounted", CRON, "spec.jobTemplate.spec.template.spec.containers.0.volumeMounts.0.mountPath", "/var/tmp"),
    ("launcher", CRON, "spec.jobTemplate.spec.template.spec.containers.0.command", ["python", "-m", "ray_apps.launch"]),
    ("launch-name", CRON, "spec.jobTemplate.spec.template.spec.containers.0.env", ABSENT),
    ("one-launch-at-a-time", CRON, "spec.timeZone", ABSENT),
    ("non-root", MIGRATE, f"{JOB_POD}.securityContext.runAsUser", 0),
    ("no-escalation", MIGRATE, f"{JOB_POD}.containers.0.securityContext.privileged", True),
    ("no-capabilities", MIGRATE, f"{JOB_POD}.containers.0.securityContext.capabilities.add", ["NET_ADMIN"]),
    ("nothing-of-the-node", DEV, f"{HEAD_POD}.volumes.1", {"name": "tmp", "hostPath": {"path": "/"}}),
    ("nothing-of-the-node", DEV, f"{HEAD_POD}.containers.0.ports.0.hostPort", 6379),
    ("image-digests", MIGRATE, f"{JOB_POD}.containers.0.image", "registry.example/retail-platform@sha256:12"),
    ("secrets-by-reference", "Secret retail-secrets", "", {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "retail-secrets", "namespace": "retail"}}),
    ("secrets-by-reference", MIGRATE, f"{JOB_POD}.containers.0.env", [{"name": "PGPASSWORD", "value": "retail"}]),
    ("default-deny", "NetworkPolicy retail-default-deny", "spec.egress", [{}]),
    ("selectors-match", "NetworkPolicy retail-submitter", "spec.podSelector.matchLabels.[retail/role]", "submiter"),
    ("peers-exist", "NetworkPolicy retail-metrics",
     "spec.ingress.0.from.0.namespaceSelector.matchLabels.[kubernetes.io/metadata.name]", "prometheus"),
    ("no-load-balancer", "Service retail-redis", "spec.type", "NodePort"),
    ("needed-ways", "NetworkPolicy retail-metrics", "spec.ingress.0.ports.0.port", 8081),
    ("needed-ways", "NetworkPolicy retail-work-nodes", "spec.egress", ABSENT),
    ("no-other-ways", "NetworkPolicy retail-api-nodes", "spec.egress.0.to", ABSENT),
    ("no-other-ways", "NetworkPolicy retail-edge-to-serve", "spec.podSelector.matchLabels.[ray.io/node-type]", ABSENT),
    ("no-other-ways", "NetworkPolicy retail-submitter-to-heads", "spec.ingress.0.from.0.podSelector", {}),
    ("no-other-ways", "NetworkPolicy retail-dns", "spec.egress.0.ports", ABSENT),
    ("no-other-ways", "NetworkPolicy retail-to-warehouse", "spec.podSelector", {}),
    ("needed-ways", "NetworkPolicy retail-dns", "spec.egress.0.ports", [{"protocol": "TCP", "port": 53}]),
    ("token-auth", DEV, "spec", {}),
    ("ray-sees-what-is-there", DEV, f"{ETL}.resources.CPU", ABSENT),
    ("redis-named", API, f"{SERVICE}.gcsFaultToleranceOptions.redisAddress", "redis://redis.data:6379"),
    ("folders-mounted", DEV, "spec.autoscalerOptions.volumeMounts", [{"name": "tmp", "mountPath": "/tmp"}]),
    ("quota-holds-upgrade", DEV, f"{ETL}.maxReplicas", 500),
    ("disruption-budgets", "PodDisruptionBudget retail-api-head", "spec.selector.matchLabels.[ray.io/node-type]",
     ABSENT),
    ("on-demand", DEV, f"{HEAD_POD}.tolerations", [{"operator": "Exists"}]),
    ("quota-stated", "ResourceQuota retail", "spec.hard.[services.nodeports]", "5"),
    ("least-rights", "Role retail-launcher", "rules.0.verbs", ["create", "delete"]),
    ("least-rights", "Role retail-launcher", "rules", []),
    ("least-rights", MIGRATE, f"{JOB_POD}.serviceAccountName", "retail-launcher"),
    ("rights-in-the-namespace", "RoleBinding retail-launcher", "roleRef.kind", "ClusterRole"),
    ("tokens", DEV, f"{HEAD_POD}.automountServiceAccountToken", False),
    ("secrets-known", DEV, "spec.authOptions.secretName", "retail-dev-auth"),
    ("priorities-exist", MIGRATE, f"{JOB_POD}.priorityClassName", ABSENT),
    ("accounts-exist", "RoleBinding retail-launcher", "subjects.0.name", "retail-lancher"),
    ("settings-known", MIGRATE, f"{JOB_POD}.containers.0.env", [{"name": "RETAIL_LOGLEVEL", "value": "INFO"}]),
    ("feature-gates", "RayCronJob example", "", {
        "apiVersion": "ray.io/v1", "kind": "RayCronJob", "metadata": {"name": "example", "namespace": "retail"}}),
    ("known-fields", "RayCronJob example", "", {
        "apiVersion": "ray.io/v1", "kind": "RayCronJob", "metadata": {"name": "example", "namespace": "retail"}}),
    ("known-fields", DEV, f"{HEAD}.headService", {"metadata": {"name": "head"}}),
    ("known-fields", DEV, f"{ETL}.rayStartParams.labels", "zone=a"),
    ("known-fields", DEV, f"{ETL}.priority", 10),
    ("known-fields", DEV, f"{ETL_POD}.containers.0.command", ["sleep"]),
    ("known-fields", API, "metadata.annotations.[ray.io/overwrite-container-cmd]", "true"),
    ("no-other-ways", f"{NETWORK}open", "", policy({"ports": TCP_RANGE})),
    ("no-other-ways", f"{NETWORK}open", "", policy({"ports": [{"protocol": "TCP", "port": 52365}]})),
    ("no-other-ways", f"{NETWORK}open", "", policy({"ports": [{"port": 22}]}, "egress")),
    ("no-other-ways", f"{NETWORK}metrics", "spec.ingress.0.ports.0.endPort", 8081),
    ("no-other-ways", f"{NETWORK}metrics", "spec.ingress.0.ports.0.port", "metrics"),
    ("no-other-ways", f"{NETWORK}to-redis", DNS_PORTS, [{"port": 6379}, {"protocol": "UDP", "port": 6379}]),
    ("needed-ways", f"{NETWORK}edge-to-serve", "spec.ingress.0.ports.0.protocol", "UDP"),
    ("needed-ways", f"{NETWORK}to-warehouse", "spec.egress.0.ports.0.protocol", "UDP"),
    ("needed-ways", f"{NETWORK}dns", DNS_PORTS, [{"protocol": "UDP", "port": 53}]),
    ("needed-ways", f"{NETWORK}edge-to-serve", "spec.ingress.0.from.0.podSelector",
     {"matchLabels": {"app.kubernetes.io/name": "ingress-ngnix"}}),
    ("least-rights", "RoleBinding retail-ray-head", "subjects.0.namespace", "default"),
    ("least-rights", "RoleBinding retail-ray-head", "subjects.0.kind", "User"),
    ("accounts-exist", "RoleBinding retail-ray-head", "subjects.0.namespace", "default"),
    ("accounts-exist", "RoleBinding retail-ray-head", "subjects.0.kind", "Group"),
    ("redis-named", "Service retail-redis", "", ABSENT),
    ("redis-named", "Service retail-redis", "spec.type", "ClusterIP"),
    ("redis-address", API, f"{SERVICE}.gcsFaultToleranceOptions.redisAddress", "http://retail-redis:6379"),
    ("redis-address", API, f"{SERVICE}.gcsFaultToleranceOptions.redisAddress", "redis://retail-redis"),
    ("redis-address", API, f"{SERVICE}.gcsFaultToleranceOptions.redisAddress", "redis://retail-redis:63x9"),
    ("applied-in-order", "RayService retail-api", "metadata.labels.[app.kubernetes.io/component]", ABSENT),
    ("applied-in-order", CONFIG, "metadata.labels.[app.kubernetes.io/component]", "ray"),
    ("limits-above-requests", DEV, "spec.autoscalerOptions.resources.limits.cpu", "100m"),
    ("no-load-balancer", "Service retail-redis", "spec.externalIPs", ["192.0.2.7"]),
    ("budget-counts", BUDGET, "spec.minAvailable", "50%"),
    ("budget-counts", BUDGET, "spec.minAvailable", 0),
    ("budget-counts", BUDGET, "spec.maxUnavailable", 1),
    ("budget-counts", "PodDisruptionBudget retail-api-head", "spec.minAvailable", 2),
    ("quota-holds-objects", QUOTA, "spec.hard.secrets", "2"),
    ("quota-holds-objects", QUOTA, "spec.hard.configmaps", "1"),
    ("quota-holds-objects", QUOTA, "spec.hard.services", "3"),
    ("quota-holds-objects", QUOTA, "spec.hard.[count/rayclusters.ray.io]", "0"),
    ("serving-first", "PriorityClass retail-serving", "value", 1000),
    ("schedule-happens", CRON, "spec.schedule", "0 15 3 * * *"),
    ("schedule-happens", CRON, "spec.schedule", "75 30 * * *"),
    ("schedule-happens", CRON, "spec.schedule", "TZ=UTC 15 3 * * *"),
    ("schedule-happens", CRON, "spec.schedule", "15 3 31 4,6 *"),
    ("schedule-happens", CRON, "spec.schedule", "@daily"),
    ("schedule-happens", CRON, "spec.timeZone", "Europe/Londn"),
    ("launch-has-owner", CRON, f"{LAUNCHER}.args", ["--owner", "$(LAUNCHER_JOB)"]),
    ("launch-has-owner", CRON, f"{LAUNCHER}.args.3", "$(LAUNCHER_JOB)"),
    ("programs-exist", "RayJob retail-daily-refresh", "spec.entrypoint", "python -m ray_apps.nightly"),
    ("programs-exist", CRON, f"{LAUNCHER}.command.2", "ray_apps.lanch"),
    ("import-paths-exist", API, "spec.serveConfigV2.applications.0.import_path", "serve.apps:gateway"),
    ("import-paths-exist", API, "spec.serveConfigV2.applications.0.import_path", "serve.app"),
    ("replicas-ask-cpus", API, f"{GATEWAY}.ray_actor_options.num_cpus", "1"),
    ("replicas-resources", API, f"{GATEWAY}.ray_actor_options.num_gpus", 1),
    ("replicas-resources", API, f"{GATEWAY}.ray_actor_options.resources", {"models": 2}),
    ("replicas-environment", API, f"{GATEWAY}.ray_actor_options.runtime_env", {"working_dir": "s3://code/app.zip"}),
    ("replica-counts", API, f"{GATEWAY}.autoscaling_config.min_replicas", "2"),
    ("replica-counts", API, f"{GATEWAY}.num_replicas", "2"),
    ("replicas-fit-groups", API, GATEWAY, {
        "name": "Gateway", "ray_actor_options": {"num_cpus": 0.6}, "autoscaling_config": {"max_replicas": 4}}),
    ("ids-of-the-image", DEV, f"{HEAD_POD}.securityContext.fsGroup", 1000),
    ("ids-of-the-image", MIGRATE, f"{JOB_POD}.securityContext.runAsGroup", ABSENT),
    ("no-ingress-to-ray", "Ingress edge", "", ingress("other-serve-svc", {"number": 8000})),
    ("no-ingress-to-ray", "Ingress edge", "", ingress("retail-api-serve-svc", {"number": 8265})),
    ("no-ingress-to-ray", "Ingress edge", "", ingress("retail-api-serve-svc", {"name": "dashboard"})),
]  # fmt: skip

ACCEPTED: list[tuple[str, str, str, Any]] = [
    ("initializing-timeout", API, "metadata.annotations.[ray.io/initializing-timeout]", "1h30m"),
    ("initializing-timeout", API, "metadata.annotations.[ray.io/initializing-timeout]", "1800"),
    ("token-variables", DEV, f"{ETL_POD}.containers.0.env", [{"name": "RAY_AUTH_MODE", "value": "token"}]),
    ("restart-policy", DEV, f"{HEAD_POD}.restartPolicy", "Never"),
    ("memory-fixed", MIGRATE, f"{JOB_POD}.containers.0.resources.limits.memory", "2048Mi"),
    ("no-ingress-to-ray", "Ingress edge", "", {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "edge", "namespace": "retail"},
        "spec": {"defaultBackend": {"service": {"name": "retail-api-serve-svc", "port": {"number": 8000}}}}}),
    ("no-ingress-to-ray", "Ingress edge", "", ingress("retail-api-serve-svc", {"name": "serve"})),
    ("needed-ways", f"{NETWORK}edge-to-serve", "spec.ingress.0.from.0.podSelector",
     {"matchLabels": {"app.kubernetes.io/name": "ingress-nginx"}}),
    ("schedule-happens", CRON, "spec.schedule", "*/15 8-18 * jan-jun mon,wed"),
    ("schedule-happens", CRON, "spec.schedule", "0 3 31 4 5"),
    ("replicas-resources", API, f"{GATEWAY}.ray_actor_options.resources", {"models": 1}),
    ("replicas-environment", API, f"{GATEWAY}.ray_actor_options.runtime_env", {"env_vars": {"A": "b"}}),
    ("quota-holds-objects", QUOTA, "spec.hard.secrets", "20"),
    ("redis-address", API, f"{SERVICE}.gcsFaultToleranceOptions.redisAddress", "rediss://retail-redis:6379"),
    ("group-names", DEV, f"{ETL}.groupName", "etl-large"),
    ("known-fields", DEV, f"{ETL_POD}.tolerations", [{"key": "pool", "operator": "Exists", "effect": "NoSchedule"}]),
]  # fmt: skip


def _found(overlays: Mapping[str, Overlay], case: tuple[str, str, str, Any]) -> list[str]:
    rule_id, obj, path, value = case
    changed, _ = with_changes(overlays["dev"], [Change(obj, path, value)])
    return [finding.field for finding in BY_ID[rule_id].findings(changed)]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]}:{case[1].split()[-1]}:{case[2][-40:]}")
def test_refused(overlays: Mapping[str, Overlay], case: tuple[str, str, str, Any]) -> None:
    assert _found(overlays, case) != []


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: f"{case[0]}:{case[2][-40:]}:{str(case[3])[:12]}")
def test_accepted(overlays: Mapping[str, Overlay], case: tuple[str, str, str, Any]) -> None:
    assert _found(overlays, case) == []


def test_placeholders_are_refused_with_real_images(overlays: Mapping[str, Overlay]) -> None:
    image = Change(MIGRATE, f"{JOB_POD}.containers.0.image", "registry.example/retail@sha256:" + 32 * "5e")
    changed, _ = with_changes(overlays["prod"], [Change(OPTIONS, "test_images", False), image])
    found = BY_ID["real-digests"].findings(changed)
    named = {finding.object: finding.reason for finding in found if "placeholder" in finding.reason}
    assert set(named) == {MIGRATE, "Service retail-redis"}
