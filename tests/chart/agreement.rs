//! This file's job is to show that the chart and our processes agree: on variables, values, ports, folders and addresses.

use crate::cases;
use crate::pod::{Pod, Secrets, items, pods, text};
use crate::release::{self, Release};
use crate::settings::Settings;
use runtime::config::LogFormat;
use runtime::secret::{ExposeSecret as _, Secret};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Every key of the Secret that values.yaml names.
fn secrets() -> Secrets {
    Secrets::from([
        ("database-url", "postgres://aloft:password@postgres/aloft".to_owned()),
        ("pepper", "p".repeat(32)),
        ("edge-token", "e".repeat(32)),
        ("store-access-key", "access".to_owned()),
        ("store-secret-key", "secret".to_owned()),
        ("smtp-url", "smtps://aloft:password@mail.example.com".to_owned()),
        ("operator-token", "o".repeat(32)),
        ("master-keys", format!("k2:{},k1:{}", "2".repeat(64), "1".repeat(64))),
    ])
}

/// Calls with every pod of every case and its configuration.
fn for_each_pod(check: impl Fn(&str, &Release, &Pod<'_>, &Settings)) {
    let (names, values): (Vec<_>, Vec<_>) = cases::good().into_iter().unzip();
    for (name, release) in names.iter().zip(release::releases(release::NAME, &values)) {
        for pod in pods(&release) {
            let name = format!("{name}: {}", pod.binary());
            let settings = Settings::load(&pod, &secrets()).unwrap_or_else(|problems| panic!("{name}: {problems}"));
            check(&name, &release, &pod, &settings);
        }
    }
}

#[test]
fn every_process_takes_its_variables_with_and_without_the_keys_that_may_be_absent() {
    for_each_pod(|name, _, pod, _| {
        let mut fewer = secrets();
        fewer.retain(|key, _| !["operator-token", "master-keys"].contains(key));
        Settings::load(pod, &fewer).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    });
}

#[test]
fn a_variable_or_a_value_that_a_process_does_not_know_is_found() {
    for (name, value) in [("ALOFT_EDGE__IDLE_TIMEOUT", "120"), ("ALOFT_EDGE__IDLE_TIMEOUT_S", "1e+06")] {
        let release = release::release(cases::with(&json!({"edge": {"extraEnv": [{"name": name, "value": value}]}})));
        let edge = pods(&release).into_iter().find(|pod| pod.binary() == "aloft-edge").unwrap();
        let problems = Settings::load(&edge, &secrets()).unwrap_err().to_string();
        assert!(problems.contains(name), "{problems}");
    }
}

#[test]
fn a_container_names_the_ports_that_its_process_listens_on() {
    for_each_pod(|name, _, pod, settings| {
        assert_eq!(pod.ports().into_values().collect::<BTreeSet<_>>(), settings.ports(), "{name}");
    });
}

#[test]
fn probes_and_services_lead_to_ports_that_containers_name() {
    for_each_pod(|name, release, pod, settings| {
        for (probe, port) in pod.probes() {
            assert!(settings.ports().contains(&port), "{name}: {probe}");
        }
        for service in release.all("Service").filter(|service| pod.is_selected_by(&service["spec"]["selector"])) {
            for port in items(&service["spec"]["ports"]) {
                assert!(pod.ports().contains_key(text(&port["targetPort"])), "{name}: {port}");
            }
        }
    });
}

#[test]
fn edges_call_control_planes_where_a_service_of_the_release_is() {
    for_each_pod(|name, release, _, settings| {
        for address in settings.control_planes() {
            if address == "https://aloft.example.com" {
                continue;
            }
            let (host, port) = address.strip_prefix("http://").unwrap().split_once(':').unwrap();
            let service = release.get("Service", host);
            let served = &items(&service["spec"]["ports"]).next().unwrap()["port"];
            assert_eq!(served.to_string(), port, "{name}: {address}");
            // Behind a name without an address of its own, callers come to the pods' ports.
            let control_plane = pods(release).into_iter().find(|pod| pod.binary() == "aloft-control-plane").unwrap();
            let is_headless = service["spec"]["clusterIP"] == "None";
            assert!(!is_headless || control_plane.ports()["grpc"].to_string() == port, "{name}: {address}");
        }
    });
}

#[test]
fn whatever_a_process_writes_or_reads_lies_in_a_volume() {
    for_each_pod(|name, _, pod, settings| {
        assert_eq!(pod.container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        let mounts = pod.mounts();
        let lies_in = |path: &Path, writable: bool| {
            mounts.iter().any(|(mount, may_write)| path.starts_with(mount) && (*may_write || !writable))
        };
        for folder in settings.folders() {
            assert!(lies_in(&folder, true), "{name}: {} is in none of {mounts:?}", folder.display());
        }
        for file in settings.files() {
            assert!(lies_in(&file, false), "{name}: {} is in none of {mounts:?}", file.display());
        }
        let temporary = pod.environment(&secrets()).get("TMPDIR").cloned();
        assert!(temporary.is_none_or(|folder| lies_in(Path::new(&folder), true)), "{name}");
        for mount in items(&pod.container["volumeMounts"]) {
            assert!(pod.volumes().contains(&text(&mount["name"])), "{name}: {mount}");
        }
    });
}

/// Renders the chart with these values besides the required ones; answers the configuration of each process.
fn configured(over: &Value) -> (control_plane::Settings, worker::Settings, edge_proxy::Settings) {
    let release = release::release(cases::with(over));
    let mut all: Vec<_> = pods(&release).iter().map(|pod| Settings::load(pod, &secrets()).unwrap()).collect();
    all.sort_by_key(|settings| match settings {
        Settings::ControlPlane(_) => 0,
        Settings::Worker(_) => 1,
        Settings::Edge(_) => 2,
    });
    match <[Settings; 3]>::try_from(all).unwrap() {
        [Settings::ControlPlane(control_plane), Settings::Worker(worker), Settings::Edge(edge)] => {
            (control_plane, worker, edge)
        }
        others => panic!("{others:?}"),
    }
}

#[test]
fn values_and_secrets_arrive_at_the_keys_that_they_are_meant_for() {
    let (control_plane, worker, edge) = configured(&json!({
        "publicUrl": "https://aloft.example.com",
        "mail": {"enabled": true, "from": "Ops <ops@example.com>"},
        "log": {"format": "text", "filter": "warn"},
        "controlPlane": {"firstOwnerEmail": "ops@example.com", "clientAddressHeader": "x-forwarded-for"},
        "edge": {
            "publicUrl": "https://updates.example.com", "clientAddressHeader": "x-client", "blobOrigin": "store",
            "parent": "https://eu.updates.example.com", "accessLog": {"every": 3_000_000, "refusalsPerSecond": 7},
        },
    }));
    let secret = |secret: &Secret| secret.expose_secret().to_owned();
    assert_eq!(secret(&control_plane.database.url), secrets()["database-url"]);
    assert_eq!(secret(&control_plane.store.access_key), secrets()["store-access-key"]);
    assert_eq!(secret(&control_plane.store.secret_key), secrets()["store-secret-key"]);
    let (common, control_plane) = (control_plane.log, control_plane.control_plane);
    assert_eq!((common.format, common.filter.as_str()), (LogFormat::Text, "warn"));
    assert_eq!(control_plane.public_url, "https://aloft.example.com");
    assert_eq!(control_plane.first_owner_email, "ops@example.com");
    assert_eq!(control_plane.client_address_header, "x-forwarded-for");
    assert_eq!(secret(&control_plane.pepper), secrets()["pepper"]);
    assert_eq!(secret(&control_plane.edge_token), secrets()["edge-token"]);
    assert_eq!(secret(&control_plane.operator_token), secrets()["operator-token"]);

    let worker = worker.worker;
    assert_eq!((worker.mail_transport, &*worker.mail_from), (worker::MailTransport::Smtp, "Ops <ops@example.com>"));
    assert_eq!(
        (secret(&worker.mail_smtp_url), &*worker.public_url),
        (secrets()["smtp-url"].clone(), "https://aloft.example.com")
    );
    for (pepper, master_keys) in
        [(&control_plane.pepper, &control_plane.master_keys), (&worker.pepper, &worker.master_keys)]
    {
        assert_eq!(secret(pepper), secrets()["pepper"]);
        assert_eq!(master_keys.iter().map(secret).collect::<Vec<_>>().join(","), secrets()["master-keys"]);
    }

    let edge = edge.edge;
    assert_eq!(secret(&edge.token), secrets()["edge-token"]);
    assert_eq!((&*edge.public_url, &*edge.client_address_header), ("https://updates.example.com", "x-client"));
    assert_eq!((&*edge.parent, edge.blob_origin), ("https://eu.updates.example.com", edge_proxy::BlobOrigin::Store));
    assert_eq!((edge.access_log_every, edge.access_log_refusals_per_s), (3_000_000, 7));
}

/// Packages of CodePush's management clients that a control plane takes in at once, as values.yaml says.
const PACKAGES_AT_ONCE: u64 = 8;
/// A package of a single file lies there as it came and packed.
const COPIES_OF_A_PACKAGE: u64 = 2;

#[test]
fn volumes_have_room_for_the_most_that_a_process_may_write() {
    let release = release::release(cases::with(&json!({})));
    let (control_plane, worker, edge) = configured(&json!({}));
    let upload = control_plane.control_plane.upload_max_bytes;
    let packages = PACKAGES_AT_ONCE * COPIES_OF_A_PACKAGE * upload;
    assert!(volume(&release, "aloft-control-plane", "/spec/template/spec/volumes/0/emptyDir/sizeLimit") >= packages);

    let tiers = worker.worker.tiers;
    let slots = [tiers.p0, tiers.p1, tiers.p2, tiers.p3].iter().map(|tier| u64::from(tier.slots)).sum::<u64>();
    let unpacked = slots * (upload + worker.worker.unpacked_max_bytes);
    assert!(volume(&release, "aloft-worker", "/spec/template/spec/volumes/0/emptyDir/sizeLimit") >= unpacked);

    let kept = edge.edge.blobs_max_bytes + edge.edge.spool_max_bytes + edge.edge.disk_reserve_bytes;
    let claim = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
    assert!(volume(&release, "aloft-edge", claim) >= kept);
}

/// Returns the size of a volume in bytes, which stands there in what runs the binary.
fn volume(release: &Release, binary: &str, path: &str) -> u64 {
    let pod = pods(release).into_iter().find(|pod| pod.binary() == binary).unwrap();
    let gibibytes = text(pod.owner.pointer(path).unwrap()).strip_suffix("Gi").unwrap();
    gibibytes.parse::<u64>().unwrap() << 30
}

#[test]
fn behind_the_edges_api_port_a_control_plane_believes_where_they_say_that_a_call_came_from() {
    let header = |over: &Value| configured(&json!({"edge": over})).0.control_plane.client_address_header;
    assert_eq!(header(&json!({"api": {"enabled": true}})), "x-real-ip");
    assert_eq!(header(&json!({})), "");
}

#[test]
fn the_edge_keeps_its_default_limits_only_where_it_sees_devices_own_addresses() {
    let edge = |over: Value| configured(&json!({"edge": over})).2.edge;
    let limits = |edge: &edge_proxy::Config| {
        let connections_all = edge.connections_per_address_max == edge.connections_max;
        (connections_all, edge.address_requests_per_s > 0, edge.registrations_per_s > 0)
    };
    let behind = edge(json!({}));
    assert_eq!(limits(&behind), (true, false, false), "all devices seem to have one address");
    let told = edge(json!({"clientAddressHeader": "x-forwarded-for"}));
    assert_eq!(limits(&told), (true, true, true), "connections are the ingress's, requests the devices'");
    let direct = edge(json!({"service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}}));
    assert_eq!(limits(&direct), (false, true, true), "devices connect themselves");
    assert!(behind.idle_timeout_s > 60 && direct.idle_timeout_s < 60, "load balancers keep idle connections for 60 s");
}
