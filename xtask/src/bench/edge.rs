//! This file's job is the suite `edge`: what an update check and blob bytes cost, beside nginx on the same core.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::Value;

use super::field::{Field, text};
use super::instructions::{Cost, Counted};
use super::load::{CONNECTIONS, LOAD_CORE, Load, Request, SECONDS, SERVER_CORE, Script};
use super::nginx::Nginx;
use super::process_cost::cpu_time;
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};

/// Few enough not to hide cost behind waiting: one download a connection.
const BLOB_CONNECTIONS: u32 = 8;
/// Different devices ask, so that nothing is cached by device.
const DEVICES: usize = 500;

/// The least that a server can do.
const PEER: &str = "nginx return 200, same size";
const INSTRUCTIONS: &str = "instructions per request, without the kernel's";
const ALLOCATIONS: &str = "calls for memory per request";

/// The device runs what it would get: by far the most frequent answer.
const CHECK: [Figure<'_>; 4] = [
    Figure { case: "update-check cpu", unit: "µs CPU per request", better: Better::Lower },
    Figure { case: "update-check p99", unit: "ms", better: Better::Lower },
    Figure { case: "update-check instructions", unit: INSTRUCTIONS, better: Better::Lower },
    Figure { case: "update-check allocations", unit: ALLOCATIONS, better: Better::Lower },
];
/// The device gets an update: the answer lists every file of the bundle.
const OFFER: [Figure<'_>; 4] = [
    Figure { case: "update-offer cpu", unit: "µs CPU per request", better: Better::Lower },
    Figure { case: "update-offer p99", unit: "ms", better: Better::Lower },
    Figure { case: "update-offer instructions", unit: INSTRUCTIONS, better: Better::Lower },
    Figure { case: "update-offer allocations", unit: ALLOCATIONS, better: Better::Lower },
];
const BLOB_CPU: Figure<'_> = Figure { case: "blob cpu", unit: "µs CPU per MiB", better: Better::Lower };
const BLOB_SENDFILE: Figure<'_> = Figure { case: "blob cpu sendfile", unit: "µs CPU per MiB", better: Better::Lower };

/// `./x bench edge`.
pub struct Edge;

impl Suite for Edge {
    fn name(&self) -> &'static str {
        "edge"
    }

    fn about(&self) -> &'static str {
        "CPU, instructions and allocations of update checks, and CPU of blob bytes, beside nginx"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let mut field = Field::set_up(bench)?;
        let tokens = (0..DEVICES).map(|number| field.register_device(number)).collect::<Result<Vec<_>>>()?;
        let offer = field.check_path();
        let (_, answer) = field.check(&offer, &tokens[0])?;
        let answer: Value = serde_json::from_slice(&answer).context("the answer is no JSON")?;
        let blob = launch_blob(&answer)?;
        let check = format!("{offer}&current={}", text(&answer["update"]["bundle"], "sha256")?);
        let edge = field.edge_alone(SERVER_CORE)?;
        let asked = [(&check, CHECK), (&offer, OFFER)];
        let mut constants = Vec::new();
        for (path, [cpu, p99, ..]) in asked {
            let (head, body) = field.check(path, &tokens[0])?;
            let constant =
                format!("location / {{ default_type application/json; {} {} }}", headers(&head), returned(&body));
            let requests: Vec<Request> = tokens.iter().map(|token| Request::by_device(path, token)).collect();
            measure_checks(bench, &field, edge.id(), (&requests, &constant), [cpu, p99], report)?;
            constants.push((requests, constant));
        }
        for (sendfile, figure) in [("off", BLOB_CPU), ("on", BLOB_SENDFILE)] {
            measure_blobs(bench, &field, edge.id(), &blob, sendfile, figure, report)?;
        }
        drop(edge);
        for ((_, [_, _, figures @ ..]), (requests, constant)) in asked.into_iter().zip(constants) {
            count(bench, &field, (&requests, &constant), figures, report);
        }
        Ok(())
    }
}

/// Counts once: the figures hardly vary.
fn count(
    bench: &Bench<'_>,
    field: &Field<'_>,
    (requests, constant): (&[Request], &str),
    figures: [Figure<'_>; 2],
    report: &mut Report,
) {
    let edge = Counted { command: &|_| field.edge_command(), port: field.edge_port, stop: Signal::TERM };
    let nginx = Counted {
        command: &|port| Nginx::alone(field.path(), port, constant),
        port: field.edge_port,
        stop: Signal::QUIT,
    };
    let cost = |counted: &Counted<'_>| counted.per_request(bench, field.path(), requests);
    let shown: [fn(&Cost) -> f64; 2] = [|cost| cost.instructions, |cost| cost.allocations];
    match cost(&edge).and_then(|ours| Ok((ours, cost(&nginx)?))) {
        Ok((ours, peer)) => {
            for (figure, of) in figures.into_iter().zip(shown) {
                report.record(figure, PEER, &[of(&ours)], &[of(&peer)]);
            }
        }
        Err(error) => figures.into_iter().for_each(|figure| report.fail(figure, PEER, &format!("{error:#}"))),
    }
}

fn measure_checks(
    bench: &Bench<'_>,
    field: &Field<'_>,
    edge_id: u32,
    (requests, constant): (&[Request], &str),
    [cpu_figure, p99_figure]: [Figure<'_>; 2],
    report: &mut Report,
) -> Result<()> {
    let nginx = Nginx::start(bench.supervisor, field.path(), SERVER_CORE, constant)?;
    let script = Script::write(field.path(), requests)?;
    let load = Load {
        port: field.edge_port,
        path: "/",
        script: Some(&script.path),
        connections: CONNECTIONS,
        seconds: SECONDS,
        core: LOAD_CORE,
    };
    let (mut cpu, mut p99) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..bench.rounds {
        let (ours, seen) = load.cost(|| cpu_time(edge_id))?;
        cpu.0.push(ours);
        p99.0.push(seen.p99_ms);
        let (peers, seen) = Load { port: nginx.port, ..load }.cost(|| nginx.cpu_time())?;
        cpu.1.push(peers);
        p99.1.push(seen.p99_ms);
    }
    report.record(cpu_figure, PEER, &cpu.0, &cpu.1);
    report.record(p99_figure, PEER, &p99.0, &p99.1);
    Ok(())
}

fn measure_blobs(
    bench: &Bench<'_>,
    field: &Field<'_>,
    edge_id: u32,
    blob: &(String, u64),
    sendfile: &str,
    figure: Figure<'_>,
    report: &mut Report,
) -> Result<()> {
    let (path, size_bytes) = blob;
    let nginx = nginx_with(bench, field, path, sendfile)?;
    let load = Load {
        port: field.edge_port,
        path,
        script: None,
        connections: BLOB_CONNECTIONS,
        seconds: SECONDS,
        core: LOAD_CORE,
    };
    let mebibytes = *size_bytes as f64 / f64::from(1 << 20);
    report.compare(
        figure,
        &format!("nginx, sendfile {sendfile}"),
        bench.rounds,
        || Ok(load.cost(|| cpu_time(edge_id))?.0 / mebibytes),
        || Ok(Load { port: nginx.port, ..load }.cost(|| nginx.cpu_time())?.0 / mebibytes),
    );
    Ok(())
}

/// Starts nginx on the server's core with a copy of the blob.
pub fn nginx_with(bench: &Bench<'_>, field: &Field<'_>, path: &str, sendfile: &str) -> Result<Nginx> {
    let (_, bytes) = field.get(path)?;
    let root = field.path().join("www");
    let copy = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(copy.parent().context("a blob's path has a folder")?)?;
    fs::write(&copy, bytes)?;
    let location = format!("root {}; sendfile {sendfile}; open_file_cache max=100;", root.display());
    Nginx::start(bench.supervisor, field.path(), SERVER_CORE, &location)
}

/// Path and size of the launch file in an update's answer.
pub fn launch_blob(answer: &Value) -> Result<(String, u64)> {
    let files = answer["update"]["bundle"]["files"].as_array().context("the answer has no files")?;
    let launch = files.iter().find(|file| file["role"] == "launch").context("the answer has no launch file")?;
    Ok((text(launch, "url")?, launch["size_bytes"].as_u64().context("a file has a size")?))
}

/// The headers that the edge sends beyond what nginx sends by itself.
pub fn headers(head: &str) -> String {
    let own = ["content-type", "content-length", "date", "server", "connection", "keep-alive"];
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| format!("add_header {name} '{}';", value.trim().replace('\'', "\\'")))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The directives that return the body. Inside quotes `$` would begin a variable and is replaced; the size stays. nginx reads at most 4 KiB
/// for one word of its configuration, so a long body is put together from variables.
pub fn returned(body: &[u8]) -> String {
    const WORD_MAX_CHARACTERS: usize = 2_000;
    let text: Vec<char> =
        String::from_utf8_lossy(body).replace('\\', "/").replace('\'', "`").replace('$', "S").chars().collect();
    let pieces: Vec<String> = text.chunks(WORD_MAX_CHARACTERS).map(|piece| piece.iter().collect()).collect();
    if let [whole] = pieces.as_slice() {
        return format!("return 200 '{whole}';");
    }
    let set: String =
        pieces.iter().enumerate().map(|(index, piece)| format!("set $piece{index} '{piece}';\n")).collect();
    let names: String = (0..pieces.len()).map(|index| format!("${{piece{index}}}")).collect();
    format!("{set} return 200 \"{names}\";")
}
