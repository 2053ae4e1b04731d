//! This file's job is to run every test with everything the tests need.

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
    let requirements = places.root().join("crates/testkit/requirements.txt");
    let python = python_tool::install(places, supervisor, "test-python", &requirements)?;
    let provider = npm_tool::install(places, supervisor, "test-oidc", &places.root().join("crates/testkit/oidc"))?;
    // The folder that has node_modules.
    let provider = provider.ancestors().nth(2).context("npm installs into a folder")?.to_owned();
    let hermes = npm_tool::install(places, supervisor, "test-hermes", &places.root().join("crates/testkit/hermes"))?;
    let hermes = hermes.parent().context("npm installs into a folder")?.join("hermes-engine-cli");
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
    command.env("ALOFT_TEST_POSTGRES_URL", cluster.url()).env("ALOFT_CORPUS", &corpus).env("ALOFT_TEST_PYTHON", python);
    command.env("ALOFT_TEST_OIDC", provider).env("ALOFT_TEST_HERMES", hermes);
    supervisor.run(&mut command)
}
