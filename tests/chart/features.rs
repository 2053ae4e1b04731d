//! This file's job is to show what each switch of the chart brings.

use crate::cases;
use crate::pod::{Secrets, items, pods, text};
use crate::release;
use serde_json::{Value, json};

/// Renders the chart with these values besides the required ones.
fn with(over: &Value) -> release::Release {
    release::release(cases::with(over))
}

#[test]
fn a_plain_release_has_no_more_than_it_needs() {
    let release = with(&json!({}));
    for kind in ["Ingress", "HorizontalPodAutoscaler", "NetworkPolicy", "PodMonitor"] {
        assert_eq!(release.all(kind).count(), 0, "{kind}");
    }
    for component in ["control-plane", "worker", "edge"] {
        let budget = release.get("PodDisruptionBudget", &format!("demo-{component}"));
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
    }
}

#[test]
fn no_pod_has_rights_that_it_does_not_need() {
    let release = with(&json!({}));
    assert_eq!(release.get("ServiceAccount", "demo")["automountServiceAccountToken"], false);
    for pod in pods(&release) {
        assert_eq!(pod.spec["automountServiceAccountToken"], false);
        assert_eq!(pod.spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod.container["securityContext"]["allowPrivilegeEscalation"], false);
        assert_eq!(pod.container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}));
        // A Service called aloft--x would become variables that no process knows, so that none would start.
        assert_eq!(pod.spec["enableServiceLinks"], false);
    }
}

#[test]
fn an_edge_that_asks_the_control_plane_for_blobs_gets_no_key_of_the_store() {
    let is_told = |over: &Value| {
        let release = with(over);
        let edge = pods(&release).into_iter().find(|pod| pod.binary() == "aloft-edge").unwrap();
        items(&edge.container["env"]).any(|variable| text(&variable["name"]).starts_with("ALOFT_STORE__"))
    };
    assert!(is_told(&json!({})));
    assert!(!is_told(&json!({"edge": {"blobOrigin": "control-plane"}})));
}

#[test]
fn an_extra_variable_takes_the_place_of_the_charts_own() {
    let extra = json!([{"name": "ALOFT_EDGE__IDLE_TIMEOUT_S", "value": "300"}, {"name": "TZ", "value": "UTC"}]);
    let release = with(&json!({"edge": {"extraEnv": extra}}));
    let edge = pods(&release).into_iter().find(|pod| pod.binary() == "aloft-edge").unwrap();
    let secrets = ["store-access-key", "store-secret-key", "edge-token"].map(|key| (key, String::new()));
    let environment = edge.environment(&Secrets::from(secrets));
    assert_eq!((&*environment["ALOFT_EDGE__IDLE_TIMEOUT_S"], &*environment["TZ"]), ("300", "UTC"));
}

#[test]
fn labels_of_the_operator_never_hide_a_pod_from_its_service() {
    let release = with(&json!({"edge": {"podLabels": {"app.kubernetes.io/component": "x", "team": "mobile"}}}));
    let edge = pods(&release).into_iter().find(|pod| pod.binary() == "aloft-edge").unwrap();
    assert_eq!(
        (&edge.labels()["app.kubernetes.io/component"], &edge.labels()["team"]),
        (&json!("edge"), &json!("mobile"))
    );
}

#[test]
fn the_pod_monitor_reads_the_metrics_of_every_pod_that_shows_some() {
    let release =
        with(&json!({"podMonitor": {"enabled": true, "interval": "15s", "labels": {"release": "prometheus"}}}));
    let monitor = release.get("PodMonitor", "demo");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let spec = monitor["spec"].as_object().unwrap();
    assert_eq!(spec.keys().collect::<Vec<_>>(), ["podMetricsEndpoints", "podTargetLabels", "selector"]);
    assert_eq!(spec["podMetricsEndpoints"], json!([{"port": "admin", "path": "/metrics", "interval": "15s"}]));
    assert_eq!(spec["podTargetLabels"], json!(["app.kubernetes.io/component"]));
    let pods = pods(&release);
    assert!(pods.iter().all(|pod| pod.is_selected_by(&spec["selector"]["matchLabels"])));
    assert!(pods.iter().any(|pod| pod.ports().contains_key("admin")));
}

#[test]
fn network_policies_deny_what_is_not_named() {
    let prometheus = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}});
    let nginx = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}});
    let database = json!({"ports": [{"port": 5432}]});
    let release = with(&json!({"edge": {"api": {"enabled": true}}, "networkPolicy": {
        "enabled": true, "clients": [nginx], "monitoring": [prometheus],
        "egress": {"controlPlane": [database], "worker": [database], "edge": [{"ports": [{"port": 443}]}]},
    }}));
    let spec = |component: &str| &release.get("NetworkPolicy", &format!("demo-{component}"))["spec"];
    let edge = json!({"podSelector": {"matchLabels": {
        "app.kubernetes.io/instance": "demo", "app.kubernetes.io/component": "edge",
    }}});
    let control_plane = json!([{"podSelector": {"matchLabels": {
        "app.kubernetes.io/instance": "demo", "app.kubernetes.io/component": "control-plane",
    }}}]);
    let names = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]});
    let metrics = json!({"ports": [{"port": "admin"}], "from": [prometheus]});
    for component in ["control-plane", "worker", "edge"] {
        assert_eq!(spec(component)["policyTypes"], json!(["Ingress", "Egress"]), "{component}");
    }
    assert_eq!(
        spec("control-plane")["ingress"],
        json!([{"ports": [{"port": "grpc"}], "from": [nginx, edge]}, metrics])
    );
    assert_eq!(spec("control-plane")["egress"], json!([names, database]));
    assert_eq!(spec("worker")["ingress"], json!([metrics]));
    assert_eq!(spec("worker")["egress"], json!([names, database]));
    let doors = json!({"ports": [{"port": "devices"}, {"port": "api"}], "from": [nginx]});
    assert_eq!(spec("edge")["ingress"], json!([doors, metrics]));
    let calls = json!({"ports": [{"port": "grpc"}], "to": control_plane});
    assert_eq!(spec("edge")["egress"], json!([names, calls, {"ports": [{"port": 443}]}]));
}

#[test]
fn without_peers_clients_come_from_everywhere_and_nobody_reads_metrics() {
    let egress = json!({"controlPlane": [{}], "worker": [{}], "edge": [{}]});
    let release = with(&json!({"networkPolicy": {"enabled": true, "egress": egress}}));
    let ingress = |component: &str| &release.get("NetworkPolicy", &format!("demo-{component}"))["spec"]["ingress"];
    assert_eq!(ingress("control-plane"), &json!([{"ports": [{"port": "grpc"}]}]));
    assert_eq!(ingress("worker"), &json!([]));
    assert_eq!(ingress("edge"), &json!([{"ports": [{"port": "devices"}]}]));
}

#[test]
fn edges_are_scaled_by_the_processor_time_that_they_use() {
    let release = with(
        &json!({"edge": {"autoscaling": {"enabled": true, "minReplicas": 3, "maxReplicas": 9, "cpuPercent": 60}}}),
    );
    let spec = &release.get("HorizontalPodAutoscaler", "demo-edge")["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(3), &json!(9)));
    assert_eq!(spec["metrics"][0]["resource"]["target"], json!({"type": "Utilization", "averageUtilization": 60}));
    // The percentage is one of this.
    let edge = pods(&release).into_iter().find(|pod| pod.binary() == "aloft-edge").unwrap();
    assert!(edge.container["resources"]["requests"]["cpu"].is_string());
}

#[test]
fn edges_that_end_tls_are_not_asked_for_clear_text() {
    let port = |over: &Value| with(&json!({"edge": over})).get("Service", "demo-edge")["spec"]["ports"].clone();
    let clear = port(&json!({"api": {"enabled": true}}));
    assert_eq!((&clear[0]["port"], &clear[1]["appProtocol"]), (&json!(80), &json!("kubernetes.io/h2c")));
    let encrypted = port(&json!({"api": {"enabled": true}, "tlsSecret": "certificate"}));
    assert_eq!((&encrypted[0]["port"], &encrypted[1]["appProtocol"]), (&json!(443), &Value::Null));
}

#[test]
fn the_notes_say_what_is_missing() {
    let plain = with(&json!({})).notes;
    assert!(plain.contains("cp_live_") && plain.contains("demo-edge"), "{plain}");
    assert!(plain.contains("publicUrl is not set") && plain.contains("Mail is not enabled"), "{plain}");
    let whole = with(&json!({"publicUrl": "https://aloft.example.com", "mail": {"enabled": true}})).notes;
    assert!(!whole.contains("not set") && !whole.contains("not enabled"), "{whole}");
}
