//! This file's job is to burn down a queue of the shape that pgmq's SQL functions have, as a reference: a visibility timeout that is moved
//! with `FOR UPDATE SKIP LOCKED`, and a delete. No tenants, no fences, no attempts.

use crate::CONSUMERS;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer};
use std::time::Instant;

const SETUP: &str = "DROP TABLE IF EXISTS visibility_queue; \
    CREATE TABLE visibility_queue (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, read_count INT NOT NULL DEFAULT 0, \
        enqueued_at TIMESTAMPTZ NOT NULL DEFAULT now(), visible_at TIMESTAMPTZ NOT NULL, message JSONB); \
    CREATE INDEX ON visibility_queue (visible_at)";
const READ: &str = "WITH next AS (SELECT id FROM visibility_queue WHERE visible_at <= clock_timestamp() ORDER BY id LIMIT $1 \
        FOR UPDATE SKIP LOCKED) \
    UPDATE visibility_queue q SET visible_at = clock_timestamp() + interval '30 s', read_count = read_count + 1 \
    FROM next WHERE q.id = next.id RETURNING q.id";
const DELETE: &str = "DELETE FROM visibility_queue WHERE id = ANY($1)";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Burns `count` messages down with reads of `batch`.
pub async fn run(url: &str, count: usize, batch: i32) -> serde_json::Value {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || burn(&url, count, batch)).await.unwrap()
}

fn burn(url: &str, count: usize, batch: i32) -> serde_json::Value {
    let mut conn = PgConnection::establish(url).unwrap();
    conn.batch_execute(SETUP).unwrap();
    let fill =
        "INSERT INTO visibility_queue (visible_at, message) SELECT clock_timestamp(), '{}' FROM generate_series(1, $1)";
    diesel::sql_query(fill).bind::<Integer, _>(i32::try_from(count).unwrap()).execute(&mut conn).unwrap();
    let mut connections: Vec<_> = (0..CONSUMERS).map(|_| PgConnection::establish(url).unwrap()).collect();
    let begun = Instant::now();
    let done: usize = std::thread::scope(|scope| {
        let consumers: Vec<_> = connections.iter_mut().map(|conn| scope.spawn(move || consume(conn, batch))).collect();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum()
    });
    assert_eq!(done, count, "a message was lost or read twice");
    serde_json::json!({ "jobs_per_second": count as f64 / begun.elapsed().as_secs_f64() })
}

fn consume(conn: &mut PgConnection, batch: i32) -> usize {
    let mut done = 0;
    loop {
        let rows: Vec<Row> = diesel::sql_query(READ).bind::<Integer, _>(batch).load(conn).unwrap();
        if rows.is_empty() {
            return done;
        }
        done += rows.len();
        let ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
        diesel::sql_query(DELETE).bind::<Array<BigInt>, _>(ids).execute(conn).unwrap();
    }
}
