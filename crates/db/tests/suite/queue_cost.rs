//! This file's job is to check that what workers repeat costs the same however many jobs are queued.

use crate::queue::{claim, enqueue, new_job, tenant, worker};
use crate::world::{World, after};
use db::queue::{self, Flow};
use db::{DbConn, Tx};
use diesel::connection::{Connection as _, InstrumentationEvent, SimpleConnection as _};
use diesel::prelude::*;
use diesel::sql_types::Text;
use domain::job::Tier;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const JOBS: usize = 100_000;

/// A hundred thousand ready jobs over a thousand tenants; every second one belongs to tenant 0, and its tags come first.
const FLOOD: &str = "INSERT INTO job (tier, id, tenant, kind, subject, payload, state, vstart, cost, run_at_us, attempt, \
        max_attempts, fence, unique_key, enqueued_at_us, lane) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000), \
    digits(i, owner, text) AS (SELECT i, CASE WHEN i % 2 = 0 THEN 0 ELSE i % 1000 END, CAST(i AS TEXT) FROM n) \
    SELECT 2, 'job_' || substr('00000000000000000000000000', 1, 26 - length(text)) || text, \
        'org_' || substr('00000000000000000000000000', 1, 26 - length(CAST(owner AS TEXT))) || CAST(owner AS TEXT), \
        'process-upload', 'x', '{\"upload\":\"upl_00000000000000000000000000\"}', 'ready', \
        CASE WHEN owner = 0 THEN i ELSE 1000000 + i END, 1, 0, 0, 4, 0, 'flood:' || text, 0, 'foreground' FROM digits";
const TURNS: &str =
    "INSERT INTO job_turn (tier, tenant, lane, last_vfinish) SELECT DISTINCT 2, tenant, 'foreground', 2000000 FROM job";

fn run(conn: &mut DbConn, sql: &str) {
    match conn {
        DbConn::Sqlite(c) => c.batch_execute(sql).unwrap(),
        DbConn::Pg(c) => c.batch_execute(sql).unwrap(),
    }
}

async fn flood(world: &World) {
    world
        .write(|tx| {
            run(tx, FLOOD);
            run(tx, TURNS);
            run(tx, "ANALYZE");
            Ok(())
        })
        .await;
}

#[derive(QueryableByName)]
struct SqliteLine {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresLine {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// Runs the work and returns the statements that it sent, without their values.
fn statements(tx: &mut Tx<'_>, work: impl FnOnce(&mut Tx<'_>) -> db::Result<()>) -> db::Result<Vec<String>> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = sent.clone();
    let listen = move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            heard.lock().unwrap().push(text.split(" -- binds").next().unwrap().to_owned());
        }
    };
    match &mut **tx {
        DbConn::Sqlite(c) => c.set_instrumentation(listen),
        DbConn::Pg(c) => c.set_instrumentation(listen),
    }
    work(tx)?;
    match &mut **tx {
        DbConn::Sqlite(c) => c.set_instrumentation(|_: InstrumentationEvent<'_>| {}),
        DbConn::Pg(c) => c.set_instrumentation(|_: InstrumentationEvent<'_>| {}),
    }
    let sent = sent.lock().unwrap();
    Ok(sent.iter().filter(|text| text.contains("job")).cloned().collect())
}

/// Returns how the database would run the statement without knowing its values, as for a statement that was prepared long ago.
fn plan(conn: &mut DbConn, statement: &str) -> String {
    match conn {
        DbConn::Sqlite(c) => {
            let lines = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load::<SqliteLine>(c).unwrap();
            lines.into_iter().map(|line| line.detail + "\n").collect()
        }
        DbConn::Pg(c) => {
            let values = (1..).take_while(|n| statement.contains(&format!("${n}"))).map(|_| "NULL").collect::<Vec<_>>();
            let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
            c.batch_execute(&format!("SET LOCAL plan_cache_mode = force_generic_plan; PREPARE probe AS {statement}"))
                .unwrap();
            let lines = diesel::sql_query(format!("EXPLAIN EXECUTE probe{values}")).load::<PostgresLine>(c).unwrap();
            c.batch_execute("DEALLOCATE probe").unwrap();
            lines.into_iter().map(|line| line.line + "\n").collect()
        }
    }
}

/// Says whether the plan reads the jobs of the tier one by one.
fn reads_all(plan: &str) -> bool {
    // The indexes of leased and of waiting jobs are small.
    let is_small = |line: &str| line.contains("job_leased") || line.contains("job_due");
    let is_scan =
        |line: &str| line.contains("Seq Scan on job_p2") || line == "SCAN job" || line.starts_with("SCAN job USING");
    plan.lines().any(|line| is_scan(line) && !is_small(line))
}

/// Everything that a worker or a producer does again and again.
fn round(tx: &mut Tx<'_>, new: &queue::NewJob) -> db::Result<()> {
    let claim = queue::Claim {
        tier: Tier::P2,
        limit: 5,
        background_max: 5,
        first: domain::job::Lane::Foreground,
        tenant_max: Some(1),
        worker: worker(1),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(300),
    };
    queue::enqueue(tx, new, after(1))?;
    let leases = queue::claim(tx, &claim, after(1))?;
    queue::heartbeat(tx, &worker(1), Duration::from_secs(30), after(2))?;
    let failure = queue::Failure { reason: "x".into(), error: "x".into(), retryable: true };
    queue::fail(tx, &leases[0], &failure, 0, after(2))?;
    queue::release(tx, &leases[1], after(2))?;
    queue::complete(tx, &leases[2], after(2))?;
    queue::claim(tx, &claim, after(60))?;
    queue::rescue_expired(tx, 10, 0, after(61))?;
    queue::next_due_at(tx, Tier::P2)?;
    queue::next_lapse_at(tx)?;
    Ok(())
}

db_test! {
    async fn no_repeated_statement_reads_the_whole_queue(world) {
        flood(&world).await;
        let new = new_job(&world, 1);
        world.write(move |tx| {
            let statements = statements(tx, |tx| round(tx, &new))?;
            assert!(statements.len() > 20, "{statements:#?}");
            for statement in statements {
                let plan = plan(tx, &statement);
                assert!(!reads_all(&plan), "{statement}\n{plan}");
            }
            // The check itself can fail: this one does read everything.
            let plan = plan(tx, "SELECT count(*) FROM job WHERE subject <> 'y'");
            assert!(reads_all(&plan), "{plan}");
            Ok(())
        }).await;
    }
}

db_test! {
    async fn a_full_tenants_flood_is_passed_over(world) {
        flood(&world).await;
        let flooder = domain::id::OrganizationId::from_parts(domain::Timestamp::from_us(0), [0; 10]);
        world.write({
            let flooder = flooder.clone();
            move |tx| queue::set_flow(tx, Tier::P2, &flooder, Flow { weight: 1, max_running: Some(1) })
        }).await;
        let begun = Instant::now();
        let leases = claim(&world, 1, 5, after(1)).await;
        println!("a claim behind {} jobs of a full tenant took {:?}", JOBS / 2, begun.elapsed());
        let tags: Vec<String> = leases.iter().map(|lease| lease.job.to_string()).collect();
        assert_eq!(leases.iter().filter(|lease| lease.organization == flooder).count(), 1, "{tags:?}");
        let numbers: Vec<u32> = tags.iter().map(|id| id[4..].parse().unwrap()).collect();
        assert_eq!(numbers, [2, 1, 3, 5, 7], "the flooder's first, then the smallest tags of the others");
    }
}

db_test! {
    async fn a_new_tenant_starts_at_the_head_of_a_flood(world) {
        flood(&world).await;
        let new = new_job(&world, 7);
        enqueue(&world, &new, after(1)).await;
        let id = new.id.clone();
        let before = world.read(move |c| queue::position(c, Tier::P2, &id)).await.unwrap();
        assert!(before <= 1, "{before} jobs stand before it");
        let leases = claim(&world, 1, 2, after(1)).await;
        assert!(leases.iter().any(|lease| lease.organization == tenant(7)));
    }
}
