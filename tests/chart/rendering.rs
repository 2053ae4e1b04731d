//! This file's job is to show that Kubernetes takes what the chart makes, and that the chart refuses values that make no sense.

use crate::cases;
use crate::pod::{items, pods, text};
use crate::release::{self, Answer, Release};
use serde_json::{Value, json};

/// What Kubernetes allows for names that become host names or labels.
const NAME_MAX_CHARACTERS: usize = 63;
/// What Helm allows for a release.
const RELEASE_NAME_MAX_CHARACTERS: usize = 53;

/// Renders all values that are in order.
fn all() -> impl Iterator<Item = (&'static str, Release)> {
    let (names, values): (Vec<_>, Vec<_>) = cases::good().into_iter().unzip();
    names.into_iter().zip(release::releases(release::NAME, &values))
}

#[test]
fn every_resource_fits_the_schemas_of_kubernetes() {
    for (name, release) in all() {
        assert_eq!(release.problems, Vec::<String>::new(), "{name}");
        assert!(!pods(&release).is_empty(), "{name}: nothing would run");
    }
}

#[test]
fn a_misspelt_field_does_not_fit() {
    for (right, wrong, problem) in [
        ("replicas: {{", "replica: {{", "'replica' was unexpected"),
        ("periodSeconds: 20", "periodSeconds: often", "'often' is not of type 'integer'"),
        ("kind: Service\n", "kind: Servise\n", "Couldn't find schema for kind Servise"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let copy = copy_of_the_chart(folder.path(), |text| text.replace(right, wrong));
        let answer = release::answers(&copy, release::NAME, &[cases::with(&json!({}))]).remove(0);
        let Answer::Release(release) = answer else { panic!("{wrong}: {answer:?}") };
        assert!(release.problems.iter().any(|found| found.contains(problem)), "{wrong}: {:?}", release.problems);
    }
}

/// Copies the chart's files, with changed templates.
fn copy_of_the_chart(folder: &std::path::Path, change: impl Fn(&str) -> String) -> std::path::PathBuf {
    let copy = folder.join("aloft");
    std::fs::create_dir_all(copy.join("templates")).unwrap();
    for name in ["Chart.yaml", "values.yaml", "values.schema.json"] {
        std::fs::copy(release::chart().join(name), copy.join(name)).unwrap();
    }
    for entry in std::fs::read_dir(release::chart().join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = change(&std::fs::read_to_string(&path).unwrap());
        std::fs::write(copy.join("templates").join(path.file_name().unwrap()), text).unwrap();
    }
    copy
}

#[test]
fn values_that_make_no_sense_are_refused_and_the_reason_is_named() {
    let (values, reasons): (Vec<_>, Vec<_>) = cases::bad().into_iter().unzip();
    let answers = release::answers(&release::chart(), release::NAME, &values);
    for ((values, reason), answer) in values.iter().zip(reasons).zip(answers) {
        let Answer::Refused { refused } = answer else { panic!("{values} is taken") };
        assert!(refused.contains(reason), "{values}: {refused}");
    }
}

#[test]
fn the_schema_names_every_key() {
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(release::chart().join("values.schema.json")).unwrap()).unwrap();
    let mut open = Vec::new();
    find_open(&schema, "", &mut open);
    // Kubernetes' own objects, and what Helm gives to subcharts.
    open.retain(|path| {
        !["resources", "affinity", "valueFrom", "global", "items"].iter().any(|end| path.ends_with(end))
    });
    assert_eq!(open, Vec::<String>::new(), "these take any key");
}

/// Collects the objects that allow keys which they do not name.
fn find_open(schema: &Value, path: &str, open: &mut Vec<String>) {
    if schema["type"] == "object" && schema["additionalProperties"].is_null() {
        open.push(path.to_owned());
    }
    for (key, inner) in schema.as_object().into_iter().flatten() {
        find_open(inner, &format!("{path}/{key}"), open);
    }
}

#[test]
fn the_longest_name_of_a_release_leaves_all_names_valid() {
    let longest = "a".repeat(RELEASE_NAME_MAX_CHARACTERS);
    let values = cases::good().into_iter().map(|(_, values)| values).collect::<Vec<_>>();
    for release in release::releases(&longest, &values) {
        for document in &release.documents {
            let name = text(&document["metadata"]["name"]);
            assert!(name.len() <= NAME_MAX_CHARACTERS, "{} {name}", document["kind"]);
        }
    }
}

#[test]
fn what_names_something_else_in_the_release_names_what_is_there() {
    for (name, release) in all() {
        for ingress in release.all("Ingress") {
            for path in items(&ingress["spec"]["rules"]).flat_map(|rule| items(&rule["http"]["paths"])) {
                let backend = &path["backend"]["service"];
                let service = release.get("Service", text(&backend["name"]));
                let ports: Vec<_> = items(&service["spec"]["ports"]).map(|port| &port["name"]).collect();
                assert!(ports.contains(&&backend["port"]["name"]), "{name}: {backend}");
            }
        }
        for scaler in release.all("HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let scaled = release.get(text(&target["kind"]), text(&target["name"]));
            assert!(scaled["spec"]["replicas"].is_null(), "{name}: two would say how many there are");
        }
        for pod in pods(&release) {
            let account = text(&pod.spec["serviceAccountName"]);
            assert!(account == "shared" || release.find("ServiceAccount", account).is_some(), "{name}: {account}");
            let governing = &pod.owner["spec"]["serviceName"];
            assert!(governing.is_null() || release.find("Service", text(governing)).is_some(), "{name}: {governing}");
        }
    }
}

#[test]
fn every_selector_finds_the_pods_of_one_component() {
    for (name, release) in all() {
        let of_services = release.all("Service").map(|document| &document["spec"]["selector"]);
        let of_budgets =
            release.all("PodDisruptionBudget").map(|document| &document["spec"]["selector"]["matchLabels"]);
        let of_policies = release.all("NetworkPolicy").map(|document| &document["spec"]["podSelector"]["matchLabels"]);
        for selector in of_services.chain(of_budgets).chain(of_policies) {
            let found = pods(&release).iter().filter(|pod| pod.is_selected_by(selector)).count();
            assert_eq!(found, 1, "{name}: {selector}");
        }
        for pod in pods(&release) {
            assert!(pod.is_selected_by(&pod.owner["spec"]["selector"]["matchLabels"]), "{name}: {}", pod.binary());
            for spread in items(&pod.spec["topologySpreadConstraints"]) {
                assert!(pod.is_selected_by(&spread["labelSelector"]["matchLabels"]), "{name}: {spread}");
            }
        }
    }
}
