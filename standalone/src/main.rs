//! This file's job is to start everything in one process, to say where it is, and to stop it on a signal.

use anyhow::{Context as _, Result};
use clap::Parser as _;
use runtime::config::{EXIT_CODE, Problems};
use runtime::log::{self, Logs};
use runtime::observe::Metrics;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown::{self, Stop};
use standalone::config::Config;
use standalone::demo;
use standalone::demo::narration::line;
use standalone::options::Options;
use standalone::platform::Platform;
use standalone::secrets::{FIRST_KEY_FILE, Secrets, write_private};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// What is still running after all roles have stopped gets this long.
const LAST_GRACE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let options = Options::parse();
    match prepare(&options).and_then(|(config, logs)| start(&options, config, &logs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "aloft-standalone: {error:#}");
            ExitCode::from(if error.is::<Problems>() { EXIT_CODE } else { 1 })
        }
    }
}

fn prepare(options: &Options) -> Result<(Config, Logs)> {
    let folder = &options.data_dir;
    std::fs::create_dir_all(folder).with_context(|| format!("making the data folder {}", folder.display()))?;
    let config = Config::load(options, &Secrets::open(folder)?, std::env::vars())?;
    let logs = log::init(&config.log);
    // An error means that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok((config, logs))
}

fn start(options: &Options, config: Config, logs: &Logs) -> Result<()> {
    let metrics = Metrics::new();
    logs.count_dropped(&metrics);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(options, config, metrics));
    // A blocking call that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_GRACE);
    result
}

async fn run(options: &Options, config: Config, metrics: Metrics) -> Result<()> {
    let (shutdown, stop) = shutdown::channel();
    shutdown::on_signal(shutdown)?;
    let Some(started) = stop.run_until(Platform::start(config, metrics, line)).await else { return Ok(()) };
    let mut platform = started?;
    introduce(&platform, &options.data_dir)?;
    let result = serve(options, &mut platform, &stop).await;
    line("\nStopping.");
    platform.stop().await;
    result
}

/// Runs the demo when it is wanted, then waits for the stop.
async fn serve(options: &Options, platform: &mut Platform, stop: &Stop) -> Result<()> {
    if options.demo {
        let setting = demo::Setting::find(options, platform)?;
        let shown = tokio::select! {
            shown = demo::story::tell(&setting) => shown,
            ended = platform.ended() => ended,
            () = stop.stopped() => return Ok(()),
        };
        match shown {
            Ok(()) if options.exit => return Ok(()),
            Err(error) if options.exit => return Err(error.context("the demo failed")),
            Ok(()) => {}
            Err(error) => line(&format!("\nThe demo failed: {error:#}")),
        }
    }
    line("\nRunning; Ctrl-C stops.");
    tokio::select! {
        ended = platform.ended() => ended,
        () = stop.stopped() => Ok(()),
    }
}

fn introduce(platform: &Platform, data_folder: &Path) -> Result<()> {
    line("Aloft runs in this process:");
    line(&format!("  control plane  {}   for aloft and browsers", platform.control_plane_url));
    line(&format!("  edge           {}   for devices", platform.edge_url));
    line(&format!("  edge status    {}/statusz", platform.admin_url));
    line(&format!("  data           {}", data_folder.display()));
    let Some(first) = &platform.first_key else { return Ok(()) };
    let path = data_folder.join(FIRST_KEY_FILE);
    write_private(&path, &format!("{}\n", first.key.expose_secret()))?;
    line(&format!("\nFirst start: the API key of organization {:?}, shown only now:", first.organization));
    line(&format!("  {}", first.key.expose_secret()));
    line(&format!("It also stands in {}; remove that file once the key is somewhere safe.", path.display()));
    match &platform.mail_folder {
        Some(folder) => line(&format!(
            "  the mail to {} in {} has the link that sets the owner's password",
            platform.owner,
            folder.display()
        )),
        None => line(&format!("  a mail to {} has the link that sets the owner's password", platform.owner)),
    }
    line(&format!("  aloft login --server {} < {}", platform.control_plane_url, path.display()));
    Ok(())
}
