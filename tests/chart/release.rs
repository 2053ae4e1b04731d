//! This file's job is to render the chart with Helm, and to find things in what comes out.

use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names a Python that has Helm; `./x test` makes one.
const VARIABLE: &str = "ALOFT_TEST_CHART_PYTHON";
const SCRIPT: &str = include_str!("render.py");
/// What the releases of most tests are called.
pub const NAME: &str = "demo";

/// What Helm makes of one set of values.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// Nothing.
    Refused { refused: String },
    /// What would be installed.
    Release(Release),
}

/// What would be installed.
#[derive(Debug, Deserialize)]
pub struct Release {
    /// Kubernetes resources.
    pub documents: Vec<Value>,
    /// What the operator reads afterwards.
    pub notes: String,
    /// What the schemas of Kubernetes and Helm's lint object to.
    pub problems: Vec<String>,
}

/// Returns where the chart is.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/aloft")
}

/// Renders a chart with each of the values.
pub fn answers(chart: &Path, name: &str, values: &[Value]) -> Vec<Answer> {
    let python = std::env::var(VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let cases: Vec<_> = values.iter().map(|values| json!({"release": name, "values": values})).collect();
    let mut child = Command::new(&python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python} does not start ({error}): run the tests through `./x test`"));
    let request = json!({"chart": chart, "cases": cases}).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{python} has no Helm: run the tests through `./x test`, or set {VARIABLE}");
    let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), values.len());
    answers
}

/// Renders our chart with values that are in order.
pub fn releases(name: &str, values: &[Value]) -> Vec<Release> {
    let release = |answer| match answer {
        Answer::Release(release) => release,
        Answer::Refused { refused } => panic!("refused: {refused}"),
    };
    answers(&chart(), name, values).into_iter().map(release).collect()
}

/// Renders our chart once.
pub fn release(values: Value) -> Release {
    releases(NAME, &[values]).remove(0)
}

impl Release {
    /// Returns the resources of the kind.
    pub fn all<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.documents.iter().filter(move |document| document["kind"] == kind)
    }

    /// Returns the resource of the kind with the name.
    pub fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.all(kind).find(|document| document["metadata"]["name"] == name)
    }

    /// Returns the resource of the kind with the name, which must be there.
    pub fn get(&self, kind: &str, name: &str) -> &Value {
        self.find(kind, name).unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }
}
