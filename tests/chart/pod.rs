//! This file's job is to read the pods of a release as a node does that is to start them.

use crate::release::Release;
use serde_json::Value;
use std::collections::BTreeMap;

/// The values of the Secret by their keys.
pub type Secrets = BTreeMap<&'static str, String>;

/// One pod of a Deployment or StatefulSet, which has one container.
#[derive(Debug, Clone, Copy)]
pub struct Pod<'a> {
    /// The Deployment or StatefulSet.
    pub owner: &'a Value,
    /// The pod's `spec`.
    pub spec: &'a Value,
    /// The only container.
    pub container: &'a Value,
}

/// Returns every kind of pod in the release.
pub fn pods(release: &Release) -> Vec<Pod<'_>> {
    release.all("Deployment").chain(release.all("StatefulSet")).map(Pod::of).collect()
}

/// The elements of a list that may be absent.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The text of a value that must be one.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

impl<'a> Pod<'a> {
    fn of(owner: &'a Value) -> Self {
        let spec = &owner["spec"]["template"]["spec"];
        let containers = spec["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "one container in each pod");
        Self { owner, spec, container: &containers[0] }
    }

    /// Returns the binary that it runs.
    pub fn binary(&self) -> &'a str {
        text(&self.container["command"][0])
    }

    /// Returns the labels of the pod.
    pub fn labels(&self) -> &'a Value {
        &self.owner["spec"]["template"]["metadata"]["labels"]
    }

    /// Says whether the selector, a map of labels, finds the pod.
    pub fn is_selected_by(&self, selector: &Value) -> bool {
        selector.as_object().unwrap().iter().all(|(key, value)| self.labels()[key] == *value)
    }

    /// Returns the variables that the process gets. A key that the Secret lacks is left out if it may be.
    pub fn environment(&self, secrets: &Secrets) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for variable in items(&self.container["env"]) {
            let name = text(&variable["name"]);
            let reference = &variable["valueFrom"]["secretKeyRef"];
            let value = match (variable["value"].as_str(), reference["key"].as_str()) {
                (Some(value), None) => Some(value.to_owned()),
                (None, Some(key)) => secrets.get(key).cloned(),
                _ => panic!("{variable} has neither a value nor a secret"),
            };
            assert!(value.is_some() || reference["optional"] == true, "the Secret has no such key: {variable}");
            if let Some(value) = value {
                assert!(environment.insert(name.to_owned(), value).is_none(), "{name} stands twice");
            }
        }
        environment
    }

    /// Returns the ports that the container names.
    pub fn ports(&self) -> BTreeMap<&'a str, u16> {
        let port = |port: &'a Value| (text(&port["name"]), port["containerPort"].as_u64().unwrap().try_into().unwrap());
        items(&self.container["ports"]).map(port).collect()
    }

    /// Returns where volumes are, and whether the process may write there.
    pub fn mounts(&self) -> BTreeMap<&'a str, bool> {
        let mount = |mount: &'a Value| (text(&mount["mountPath"]), mount["readOnly"] != true);
        items(&self.container["volumeMounts"]).map(mount).collect()
    }

    /// Returns the names of its volumes.
    pub fn volumes(&self) -> Vec<&'a str> {
        let own = items(&self.spec["volumes"]).map(|volume| text(&volume["name"]));
        let claimed = items(&self.owner["spec"]["volumeClaimTemplates"]).map(|claim| text(&claim["metadata"]["name"]));
        own.chain(claimed).collect()
    }

    /// Returns its probes, each with the number of the port that it asks.
    pub fn probes(&self) -> Vec<(&'a Value, u16)> {
        let ports = self.ports();
        let probes = ["startupProbe", "readinessProbe", "livenessProbe"].map(|name| &self.container[name]);
        let port = |probe: &Value| ports[text(probe.pointer("/httpGet/port").unwrap_or(&probe["tcpSocket"]["port"]))];
        probes.into_iter().filter(|probe| !probe.is_null()).map(|probe| (probe, port(probe))).collect()
    }
}
