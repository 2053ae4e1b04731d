//! This file's job is the suite `publish`: from a developer's command to what devices see, and what an upload costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::field::Field;
use super::nginx::Nginx;
use super::process_cost::{cpu_time, peak_resident_bytes};
use super::report::{Better, Figure, Report};
use super::{Bench, Suite};

/// Nothing is pinned here: both sides use the whole machine.
const ANY_CORE: usize = 1;
/// Far beyond any real wait; a change that never arrives is an error.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(10);

const ARRIVAL: Figure<'_> = Figure { case: "command-to-device p50", unit: "ms", better: Better::Lower };
const UPLOAD: Figure<'_> = Figure { case: "upload and process", unit: "ms per MiB of files", better: Better::Lower };
const UPLOAD_CPU: Figure<'_> =
    Figure { case: "upload and process cpu", unit: "ms server CPU per MiB of files", better: Better::Lower };
const READY: Figure<'_> =
    Figure { case: "5 MB bundle ready p99", unit: "ms from command to ready", better: Better::Lower };
const READY_TARGET_MS: f64 = 1_000.0;
/// Large uploads for each round; five rounds give a p99 that is not the slowest of a few.
const LARGE_PER_ROUND: usize = 20;
const MEMORY: Figure<'_> = Figure { case: "peak memory", unit: "MiB", better: Better::Lower };

const UNPACK_AND_HASH: &str = r#"
import hashlib, os, resource, sys, zipfile
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
before = spent()
archive = open(sys.argv[1], "rb").read()
hashlib.sha256(archive).digest()
with zipfile.ZipFile(sys.argv[1]) as files:
    for name in files.namelist():
        if name.endswith("/"):
            continue
        data = files.read(name)
        chunks = [hashlib.sha256(data[at:at + (1 << 20)]).digest() for at in range(0, len(data), 1 << 20)]
        target = os.path.join(sys.argv[2], hashlib.sha256(data).hexdigest())
        with open(target + ".part", "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.rename(target + ".part", target)
print((spent() - before) * 1000)
"#;

/// `./x bench publish`.
pub struct Publish;

impl Suite for Publish {
    fn name(&self) -> &'static str {
        "publish"
    }

    fn about(&self) -> &'static str {
        "from a command to what devices see, and what uploads cost, beside files behind nginx"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let field = Field::set_up(bench)?;
        measure_uploads(bench, &field, report)?;
        measure_large(bench, &field, report)?;
        measure_arrival(bench, &field, report)
    }
}

/// Changes a release's notes and waits until the edge answers with them; the peer rewrites its answer and reloads.
fn measure_arrival(bench: &Bench<'_>, field: &Field<'_>, report: &mut Report) -> Result<()> {
    let token = field.register_device(0)?;
    let constant = |round: usize| format!("location / {{ return 200 'round {round}'; }}");
    let nginx = Nginx::start(bench.supervisor, field.path(), ANY_CORE, &constant(0))?;
    let (mut ours_round, mut peer_round) = (0, 0);
    report.compare(
        ARRIVAL,
        "nginx -s reload",
        bench.rounds * 4,
        || {
            ours_round += 1;
            let notes = format!("round {ours_round}");
            let change =
                ["releases", "update", "v1", "--app", "trailhead", "--channel", "production", "--notes", &notes];
            timed(
                || field.aloft(&change).map(|_| ()),
                || Ok(notes_of(&field.check(&field.check_path(), &token)?.1)? == notes),
            )
        },
        || {
            peer_round += 1;
            let expected = format!("round {peer_round}");
            timed(|| nginx.reload(&constant(peer_round)), || Ok(fetch(nginx.port, "/")? == expected.as_bytes()))
        },
    );
    Ok(())
}

fn notes_of(answer: &[u8]) -> Result<String> {
    let answer: Value = serde_json::from_slice(answer)?;
    Ok(answer["update"]["notes"].as_str().unwrap_or_default().to_owned())
}

/// Milliseconds from the start of a change to the first answer that shows it.
fn timed(change: impl FnOnce() -> Result<()>, mut arrived: impl FnMut() -> Result<bool> + Send) -> Result<f64> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            while !arrived()? {
                ensure!(begun.elapsed() < ARRIVAL_DEADLINE, "the change did not arrive within {ARRIVAL_DEADLINE:?}");
            }
            Ok(begun.elapsed().as_secs_f64() * 1_000.0)
        });
        change()?;
        watcher.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))?
    })
}

/// Uploads versions that the server has not seen, as a developer does. For the time, the peer takes the same files as one zip with a
/// PUT and does nothing with them; for the CPU, it is a script that makes of the zip what our worker does, without network or database.
fn measure_uploads(bench: &Bench<'_>, field: &Field<'_>, report: &mut Report) -> Result<()> {
    let store = field.path().join("dav");
    fs::create_dir_all(&store)?;
    let dav = format!("root {}; location / {{ dav_methods PUT; create_full_put_path on; }}", store.display());
    let nginx = Nginx::start(bench.supervisor, field.path(), ANY_CORE, &dav)?;
    let server = field.server_id()?;
    let (mut wall, mut cpu) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for version in ["v2", "v3", "v4"] {
        for kind in ["hermes", "js"] {
            let folder = field.bundle(version).with_file_name(kind);
            let mebibytes = size_bytes(&folder)? as f64 / f64::from(1 << 20);
            let spent = spend(|| cpu_time(server), || upload(field, &folder))?;
            wall.0.push(spent.0 / mebibytes);
            cpu.0.push(spent.1 / mebibytes);
            let archive = zip(field.path(), &folder)?;
            let begun = Instant::now();
            put(nginx.port, &archive)?;
            wall.1.push(begun.elapsed().as_secs_f64() * 1_000.0 / mebibytes);
            cpu.1.push(unpack_and_hash(&archive)? / mebibytes);
        }
    }
    report.record(UPLOAD, "curl -T to nginx, which only stores", &wall.0, &wall.1);
    report.record(UPLOAD_CPU, "Python's zipfile and hashlib doing the same", &cpu.0, &cpu.1);
    let peak = peak_resident_bytes(server)? as f64 / f64::from(1 << 20);
    report.against_target(MEMORY, &[peak], 256.0);
    Ok(())
}

/// Uploads 5 MB of code, as three versions of the app have it, each time a little different. The organization has the best plan.
fn measure_large(bench: &Bench<'_>, field: &Field<'_>, report: &mut Report) -> Result<()> {
    let folder = field.path().join("large");
    fs::create_dir_all(&folder)?;
    let mut code = Vec::new();
    for version in ["v1", "v2", "v3"] {
        code.extend(fs::read(field.bundle(version).with_file_name("js").join("index.android.bundle"))?);
    }
    ensure!(code.len() >= 5_000_000, "three versions have {} bytes only", code.len());
    let mut waits_ms = Vec::new();
    for number in 0..bench.rounds * LARGE_PER_ROUND {
        let text = [code.as_slice(), format!("\n// {number}\n").as_bytes()].concat();
        fs::write(folder.join("index.android.bundle"), text)?;
        let begun = Instant::now();
        upload(field, &folder)?;
        waits_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    waits_ms.sort_by(f64::total_cmp);
    let p99 = waits_ms[(waits_ms.len() * 99).div_ceil(100) - 1];
    report.against_target(READY, &[p99], READY_TARGET_MS);
    Ok(())
}

/// Wall-clock and CPU milliseconds of an action.
fn spend(cpu: impl Fn() -> Result<Duration>, action: impl FnOnce() -> Result<()>) -> Result<(f64, f64)> {
    let (before, begun) = (cpu()?, Instant::now());
    action()?;
    Ok((begun.elapsed().as_secs_f64() * 1_000.0, (cpu()? - before).as_secs_f64() * 1_000.0))
}

fn upload(field: &Field<'_>, folder: &Path) -> Result<()> {
    let folder = folder.display().to_string();
    let upload = field.aloft(&["upload", &folder, "--app", "trailhead", "--platform", "android"])?;
    let shown = upload.to_string();
    ensure!(shown.contains("ready"), "the upload did not become ready: {shown}");
    Ok(())
}

fn zip(scratch: &Path, folder: &Path) -> Result<PathBuf> {
    let archive = scratch.join("peer.zip");
    let script = "import shutil,sys; shutil.make_archive(sys.argv[1][:-4], 'zip', sys.argv[2])";
    let status = Command::new("python3").args(["-c", script]).arg(&archive).arg(folder).status()?;
    ensure!(status.success(), "cannot zip {}", folder.display());
    Ok(archive)
}

/// CPU milliseconds of storing every file of the archive under its SHA-256, with a SHA-256 for each MiB, durably. The kernel counts
/// microseconds here, and the interpreter's start is left out.
fn unpack_and_hash(archive: &Path) -> Result<f64> {
    let target = archive.with_extension("store");
    fs::create_dir_all(&target)?;
    let output = Command::new("python3").args(["-c", UNPACK_AND_HASH]).arg(archive).arg(&target).output()?;
    ensure!(output.status.success(), "the peer failed: {}", String::from_utf8_lossy(&output.stderr));
    fs::remove_dir_all(&target)?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the peer answered {text:?}"))
}

fn put(port: u16, archive: &Path) -> Result<()> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--upload-file"]).arg(archive);
    let status = command.arg(format!("http://127.0.0.1:{port}/upload.zip")).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "curl could not send the archive");
    Ok(())
}

fn fetch(port: u16, path: &str) -> Result<Vec<u8>> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("the answer has no head")?;
    Ok(answer.split_off(end + 4))
}

fn size_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size_bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
