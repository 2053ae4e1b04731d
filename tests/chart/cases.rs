//! This file's job is to list the values that the chart is rendered with.

use serde_json::{Value, json};

/// Puts the values of `over` into `base`.
fn merged(mut base: Value, over: &Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                let slot = base.entry(key).or_insert(Value::Null);
                *slot = merged(slot.take(), value);
            }
        }
        (slot, value) => *slot = value.clone(),
    }
    base
}

/// The defaults with what has none, and more.
pub fn with(over: &Value) -> Value {
    merged(json!({"store": {"url": "s3://bucket?endpoint=https://s3.example.com&region=eu"}}), over)
}

/// Values that are in order: the defaults, each switch on its own, and all at once.
pub fn good() -> Vec<(&'static str, Value)> {
    let mut cases: Vec<_> = switches().into_iter().map(|(name, over)| (name, with(&over))).collect();
    let all = cases.iter().filter(|(name, _)| !is_alternative(name)).map(|(_, over)| over);
    let all = all.fold(json!({}), merged);
    cases.push(("everything", all));
    cases
}

/// Excludes others.
fn is_alternative(name: &str) -> bool {
    name.starts_with("only ")
}

fn switches() -> Vec<(&'static str, Value)> {
    [of_the_release(), of_pods(), of_control_planes_and_workers(), of_edges(), parts()].concat()
}

fn of_the_release() -> Vec<(&'static str, Value)> {
    let digest = format!("sha256:{}", "0".repeat(64));
    let namespace = |name: &str| json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]);
    let internet = json!([{"ports": [{"port": 443}, {"port": 5432}]}]);
    let everywhere = json!({"controlPlane": internet, "worker": internet, "edge": internet});
    vec![
        ("defaults", json!({})),
        ("image by digest", json!({"image": {"digest": digest, "pullSecrets": [{"name": "registry"}]}})),
        ("secrets and accounts of others", json!({"existingSecret": "vault", "serviceAccount": "shared"})),
        ("mail", json!({"publicUrl": "https://aloft.example.com", "mail": {"enabled": true}})),
        ("logs", json!({"log": {"format": "text", "filter": "info,db=debug"}})),
        ("pod monitor", json!({"podMonitor": {"enabled": true, "labels": {"release": "prometheus"}}})),
        ("network policies", json!({"networkPolicy": {"enabled": true, "egress": everywhere}})),
        (
            "network policies with peers",
            json!({"networkPolicy": {
                "enabled": true, "egress": everywhere,
                "clients": namespace("ingress"), "monitoring": namespace("monitoring"),
            }}),
        ),
    ]
}

fn of_pods() -> Vec<(&'static str, Value)> {
    let pod = json!({
        "podAnnotations": {"reloader.example.com/auto": "true"},
        "podLabels": {"team": "mobile"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "mobile", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}},
        ]}},
        "resources": {"limits": {"memory": "3Gi", "cpu": "2"}},
    });
    let variable = |name: &str, value: &str| json!({"extraEnv": [{"name": name, "value": value}]});
    vec![
        ("pods", json!({"controlPlane": pod, "worker": pod, "edge": pod})),
        (
            "more variables",
            json!({
                "controlPlane": variable("ALOFT_CONTROL_PLANE__SIGN_UP", "open"),
                "worker": variable("ALOFT_WORKER__TIERS__P3__SLOTS", "2"),
                "edge": variable("ALOFT_EDGE__IDLE_TIMEOUT_S", "120"),
            }),
        ),
    ]
}

fn ingress(host: &str) -> Value {
    json!({
        "enabled": true, "className": "nginx", "host": host, "tlsSecret": "certificate",
        "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"},
    })
}

fn of_control_planes_and_workers() -> Vec<(&'static str, Value)> {
    vec![
        (
            "control plane",
            json!({"controlPlane": {
                "replicas": 3, "port": 9000, "spoolSize": "2Gi", "ingress": ingress("aloft.example.com"),
                "firstOwnerEmail": "ops@example.com", "clientAddressHeader": "x-forwarded-for",
            }}),
        ),
        ("worker", json!({"worker": {"replicas": 4, "spoolSize": "8Gi"}})),
    ]
}

fn of_edges() -> Vec<(&'static str, Value)> {
    let balancer = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "annotations": {"a": "b"}});
    let cases = vec![
        ("api port", json!({"api": {"enabled": true, "port": 9073}})),
        ("autoscaling", json!({"autoscaling": {"enabled": true, "minReplicas": 3, "maxReplicas": 30}})),
        ("TLS at edges behind a load balancer", json!({"tlsSecret": "certificate", "service": balancer})),
        ("parent", json!({"parent": "https://eu.updates.example.com", "blobOrigin": "control-plane"})),
        (
            "edge",
            json!({
                "replicas": 5, "devicePort": 9071, "adminPort": 9072, "publicUrl": "https://updates.example.com/aloft",
                "clientAddressHeader": "x-forwarded-for", "accessLog": {"every": 2_000_000, "refusalsPerSecond": 0},
                "storage": {"size": "100Gi", "className": "fast"}, "ingress": ingress("*.updates.example.com"),
                "terminationGraceSeconds": 60,
            }),
        ),
    ];
    cases.into_iter().map(|(name, edge)| (name, json!({"edge": edge}))).collect()
}

fn parts() -> Vec<(&'static str, Value)> {
    vec![
        (
            "only edges",
            json!({
                "store": {"url": ""}, "controlPlane": {"enabled": false}, "worker": {"enabled": false},
                "edge": {
                    "controlPlane": "https://aloft.example.com", "blobOrigin": "control-plane", "api": {"enabled": true},
                },
            }),
        ),
        ("only control planes", json!({"worker": {"enabled": false}, "edge": {"enabled": false}})),
        ("only workers", json!({"controlPlane": {"enabled": false}, "edge": {"enabled": false}})),
    ]
}

/// Values that must be refused, and a part of why.
pub fn bad() -> Vec<(Value, &'static str)> {
    let policies = |over: Value| merged(json!({"networkPolicy": {"enabled": true}}), &over);
    let mut cases = vec![
        (json!({"store": {"url": ""}}), "store.url must be set"),
        (json!({"mail": {"enabled": true}}), "publicUrl must be set"),
        (json!({"controlPlane": {"enabled": false}}), "edge.controlPlane must be set"),
        (json!({"controlPlane": {"ingress": {"enabled": true}}}), "needs a host"),
        (policies(json!({})), "networkPolicy.egress must say"),
        (policies(json!({"networkPolicy": {"egress": {"controlPlane": [{}], "worker": [{}]}}})), "where the edge may"),
        (json!({"edge": {"service": {"externalTrafficPolicy": "Local"}}}), "externalTrafficPolicy"),
    ];
    cases.extend([
        (json!({"replicas": 1}), "additional properties 'replicas' not allowed"),
        (json!({"edge": {"acessLog": {}}}), "'acessLog' not allowed"),
        (json!({"edge": {"accessLog": {"evry": 1}}}), "'evry' not allowed"),
        (json!({"edge": {"extraEnv": [{"name": "A", "vaule": "b"}]}}), "'vaule' not allowed"),
        (json!({"controlPlane": {"ingress": {"hosts": []}}}), "'hosts' not allowed"),
        (json!({"networkPolicy": {"egress": {"edges": []}}}), "'edges' not allowed"),
        (json!({"edge": {"replicas": "2"}}), "got string, want integer"),
        (json!({"edge": {"api": {"enabled": "true"}}}), "got string, want boolean"),
        (json!({"edge": {"podLabels": {"a": 1}}}), "got number, want string"),
        (json!({"edge": {"devicePort": 70_000}}), "65,535"),
        (json!({"edge": {"blobOrigin": "disk"}}), "blobOrigin"),
        (json!({"edge": {"parent": "eu.example.com"}}), "does not match pattern"),
        (json!({"publicUrl": "http://aloft.example.com"}), "does not match pattern"),
        (json!({"store": {"url": "/var/lib/aloft"}}), "does not match pattern"),
        (json!({"image": {"digest": "sha256:1"}}), "does not match pattern"),
        (json!({"worker": {"spoolSize": "4 GB"}}), "does not match pattern"),
    ]);
    cases.into_iter().map(|(over, why)| (with(&over), why)).collect()
}
