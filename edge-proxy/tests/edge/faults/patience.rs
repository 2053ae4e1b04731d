//! This file's job is to ask an edge for something slowly, and to see that others do not notice.

use crate::harness::{ANY_PORT, World, register, stored, updates};
use crate::process::EdgeProcess;
use crate::samples;
use domain::snapshot::ChannelSnapshot;
use std::time::{Duration, Instant};
use testkit::fault::{Guard, Harm, Round, repeat_counted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SLOW: usize = 50;
/// Twice the deadline for heads, and more for a busy machine.
const SLOW_MAX: Duration = Duration::from_secs(25);
const DRIP_EVERY: Duration = Duration::from_millis(500);

async fn start(world: &World, guard: (&str, Guard)) -> (crate::control_plane::Running, EdgeProcess, ChannelSnapshot) {
    let snapshot = stored(world, 1, 1, &samples::noise(1_000, 1)).await;
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(ANY_PORT).await;
    let store = world.store_folder.path().display().to_string();
    let mut edge = EdgeProcess::new(world.data.path(), &store, &format!("http://{}", server.address), guard);
    edge.process.set("ALOFT_EDGE__IDLE_TIMEOUT_S", "3600");
    edge.start();
    (server, edge, snapshot)
}

/// Sends the head of a request byte by byte, and says whether the edge ends that.
async fn drip(address: std::net::SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let dripping = async {
        let mut written = writer.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await;
        while written.is_ok() {
            tokio::time::sleep(DRIP_EVERY).await;
            written = writer.write_all(b"y").await;
        }
    };
    let mut answer = Vec::new();
    let ended = async {
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => (),
            () = dripping => (),
        }
    };
    timeout(SLOW_MAX, ended).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_good_ones_do_not_notice() {
    repeat_counted("slow clients", "a request's head must come in time", async |guard, _| {
        let world = World::new().await;
        let (_server, edge, snapshot) = start(&world, ("edge.head-deadline", guard)).await;
        let bearer = format!("Bearer {}", register(&edge.client, &snapshot).await);
        let path = updates(&snapshot, "");
        let slow = futures::future::join_all((0..SLOW).map(|_| drip(edge.client.address)));
        let slow = tokio::spawn(slow);
        let (mut wrong, mut took) = (0, Vec::new());
        while !slow.is_finished() {
            let begun = Instant::now();
            let answer = edge.client.get(&path, &[("authorization", &bearer)]).await;
            took.push(begun.elapsed());
            wrong += u64::from(answer.status != 200 || answer.json()["action"] != "update");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.sort_unstable();
        println!("a good client beside {SLOW} slow ones: p99 {:?}", took[(took.len() - 1) * 99 / 100]);
        let lost = slow.await.unwrap().iter().filter(|ended| !**ended).count() as u64;
        Round { injected: SLOW as u64, harm: Harm { lost, wrong } }
    })
    .await;
}
