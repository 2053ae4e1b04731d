//! This file's job is to run every test with everything the tests need.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::cluster::{Cluster, Durability};
use crate::places::Places;
use crate::supervisor::Supervisor;
use crate::up::cargo;
use crate::{client, corpus, dashboard, lint, npm_tool, python_tool};

/// What `./x test` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Skip formatting, Clippy and the contract's rules
    #[arg(long)]
    quick: bool,
    /// Only tests of this package (repeatable)
    #[arg(long, short)]
    package: Vec<String>,
    /// Only tests whose name contains this
    filter: Option<String>,
    /// Options of the test programs
    #[arg(last = true)]
    options: Vec<String>,
}

/// Lints, makes sure that the corpus is there, tests the dashboard, the JavaScript client and those of others unless only
/// some tests are wanted, starts a cluster, and runs the tests. The cluster is gone afterwards, also after a failure or Ctrl-C.
pub fn run(places: &Places, supervisor: &Supervisor, arguments: &Arguments) -> Result<()> {
    if !arguments.quick {
        lint::run(places, supervisor)?;
    }
    let corpus = corpus::ensure(places, supervisor)?;
    if arguments.package.is_empty() && arguments.filter.is_none() {
        eprintln!("x: the dashboard");
        dashboard::test(places, supervisor, &corpus)?;
        eprintln!("x: clients in JavaScript");
        client::test(places, supervisor, &corpus)?;
    }
    if !arguments.package.is_empty() {
        // Tests of one package may start the binaries of others; for the whole workspace cargo builds them anyway.
        supervisor.run(cargo(places).args(["build", "--quiet", "--workspace", "--bins"]))?;
    }
    let tools = tools(places, supervisor)?;
    let cluster = Cluster::start(supervisor, Durability::None)?;
    let mut command = cargo(places);
    command.arg("test");
    if arguments.package.is_empty() {
        command.arg("--workspace");
    }
    for package in &arguments.package {
        command.arg("--package").arg(package);
    }
    command.args(&arguments.filter).arg("--").args(&arguments.options);
    command.env("ALOFT_TEST_POSTGRES_URL", cluster.url()).env("ALOFT_CORPUS", &corpus).envs(tools);
    supervisor.run(&mut command)
}

/// Installs what the tests need of others; answers the variables that say where each is.
fn tools(places: &Places, supervisor: &Supervisor) -> Result<[(&'static str, PathBuf); 4]> {
    let python = |name: &str, requirements: &str| {
        python_tool::install(places, supervisor, name, &places.root().join(requirements))
    };
    let servers = python("test-python", "crates/testkit/requirements.txt")?;
    let helm = python("test-chart", "tests/chart/requirements.txt")?;
    let provider = npm_tool::install(places, supervisor, "test-oidc", &places.root().join("crates/testkit/oidc"))?;
    // The folder that has node_modules.
    let provider = provider.ancestors().nth(2).context("npm installs into a folder")?.to_owned();
    let hermes = npm_tool::install(places, supervisor, "test-hermes", &places.root().join("crates/testkit/hermes"))?;
    let hermes = hermes.parent().context("npm installs into a folder")?.join("hermes-engine-cli");
    Ok([
        ("ALOFT_TEST_PYTHON", servers),
        ("ALOFT_TEST_CHART_PYTHON", helm),
        ("ALOFT_TEST_OIDC", provider),
        ("ALOFT_TEST_HERMES", hermes),
    ])
}
