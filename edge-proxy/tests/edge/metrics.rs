//! This file's job is to test that what an edge shows and what its documentation says are the same, and that nobody can make it more.

use crate::doors::soon;
use crate::harness::{NOBODY, World};
use crate::process::EdgeProcess;
use std::collections::{BTreeMap, BTreeSet};
use testkit::fault::Guard;

const PAGE: &str = include_str!("../../../docs/metrics.md");
/// Requests that name things which nobody has, more than any label has values.
const STRANGERS: usize = 300;

/// A metric's type and the names of its labels.
type Kind = (String, BTreeSet<String>);

/// Returns what the page lists.
fn documented() -> BTreeMap<String, Kind> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `aloft_"));
    let metric = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    };
    rows.map(metric).collect()
}

/// Returns every series without its value.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Returns what is shown.
fn shown(text: &str) -> BTreeMap<String, Kind> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let series = series(text);
    let metric = |(name, kind): (&str, &str)| {
        let suffixes = if kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
        let names: Vec<String> = suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect();
        let of_it = series.iter().filter_map(|one| {
            let (name, labels) = one.split_once('{').unwrap_or((one, ""));
            names.iter().any(|known| known == name).then(|| labels.trim_end_matches('}'))
        });
        let labels = of_it.flat_map(|labels| labels.split(',')).filter_map(|label| Some(label.split_once('=')?.0));
        let labels = labels.filter(|label| *label != "le").map(str::to_owned).collect();
        (name.to_owned(), (kind.to_owned(), labels))
    };
    types.map(metric).collect()
}

async fn edge(world: &World) -> EdgeProcess {
    let store = world.store_folder.path().display().to_string();
    let mut edge = EdgeProcess::new(world.data.path(), &store, NOBODY, ("", Guard::Stands));
    edge.start();
    soon("the admin port answers", async || edge.admin.get("/livez", &[]).await.status == 200).await;
    edge
}

async fn metrics(edge: &EdgeProcess) -> String {
    String::from_utf8(edge.admin.get("/metrics", &[]).await.body.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_what_is_shown_and_nothing_else() {
    let world = World::new().await;
    let edge = edge(&world).await;
    let (shown, documented) = (shown(&metrics(&edge).await), documented());
    assert!(shown.len() > 30, "{shown:?}");
    assert_eq!(shown, documented);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_adds_a_series() {
    let world = World::new().await;
    let edge = edge(&world).await;
    let before = series(&metrics(&edge).await);
    for number in 0..STRANGERS {
        for path in [
            format!("/v1/updates?app=app_{number}&channel=c{number}&platform=p{number}&binary=1.0.{number}"),
            format!("/v1/blobs/{number:064x}"),
            format!("/v{number}/x"),
            format!("/v1/expo/app_{number}/c{number}"),
            format!(
                "/v0.1/public/codepush/update_check?deployment_key=a-key-that-nobody-has-{number}&app_version=1.0.0"
            ),
        ] {
            // The connection is closed on whoever waits for a channel that no control plane can name.
            let client = edge.client.clone();
            tokio::spawn(async move { client.get(&path, &[("authorization", "Bearer x")]).await.status });
        }
    }
    let counted = async || {
        let text = metrics(&edge).await;
        let answers = text.lines().filter(|line| line.starts_with("aloft_edge_requests_total"));
        answers.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum::<usize>()
    };
    soon("all were counted", async || counted().await >= 5 * STRANGERS).await;
    assert_eq!(series(&metrics(&edge).await), before);
}
