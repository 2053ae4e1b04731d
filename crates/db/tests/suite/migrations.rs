//! This file's job is to check that both databases get the same tables, however many migrate them.

use crate::world::World;
use db::{Config, Db};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use std::collections::BTreeMap;

#[derive(QueryableByName, Debug)]
struct Column {
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    required: bool,
}

#[derive(QueryableByName, Debug)]
struct Index {
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Text)]
    columns: String,
    #[diesel(sql_type = Bool)]
    uniq: bool,
    #[diesel(sql_type = Bool)]
    partial: bool,
}

type Columns = BTreeMap<(String, String), (String, bool)>;

const SQLITE_COLUMNS: &str = "SELECT m.name AS relation, c.name AS name, lower(c.type) AS kind, \
    (c.\"notnull\" = 1 OR c.pk > 0) AS required \
    FROM sqlite_master m JOIN pragma_table_info(m.name) c \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '__diesel%'";
const POSTGRES_COLUMNS: &str = "SELECT table_name::text AS relation, column_name::text AS name, \
    data_type::text AS kind, is_nullable = 'NO' AS required FROM information_schema.columns \
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%' AND table_name NOT LIKE 'job\\_p_'";
const SQLITE_INDEXES: &str = "SELECT m.name AS relation, \
    (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) AS columns, \
    i.\"unique\" = 1 AS uniq, i.partial = 1 AS partial \
    FROM sqlite_master m JOIN pragma_index_list(m.name) i \
    WHERE m.type = 'table' AND m.name NOT LIKE '__diesel%'";
const POSTGRES_INDEXES: &str = "SELECT t.relname::text AS relation, \
    (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) \
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS columns, \
    i.indisunique AS uniq, i.indpred IS NOT NULL AS partial \
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
    WHERE n.nspname = 'public' AND t.relname NOT LIKE '\\_\\_diesel%' AND t.relname NOT LIKE 'job\\_p_'";

/// One word for what both databases call differently.
fn class(kind: &str) -> String {
    match kind {
        "integer" | "bigint" | "boolean" => "integer",
        "blob" | "bytea" => "bytes",
        "text" => "text",
        other => panic!("unexpected type {other}"),
    }
    .to_owned()
}

fn columns(rows: Vec<Column>) -> Columns {
    rows.into_iter().map(|row| ((row.relation, row.name), (class(&row.kind), row.required))).collect()
}

fn indexes(rows: Vec<Index>) -> Vec<String> {
    let mut all: Vec<String> = rows
        .into_iter()
        // SQLite keeps the primary key of one integer column in the table itself.
        .filter(|row| !(["credential_change", "outbox"].contains(&row.relation.as_str()) && row.columns == "seq"))
        .map(|row| format!("{}({}) unique={} partial={}", row.relation, row.columns, row.uniq, row.partial))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_columns_and_indexes() {
    let (sqlite, postgres) = (World::sqlite().await, World::postgres().await);
    let path = sqlite.url.strip_prefix("sqlite:").unwrap();
    let mut s = SqliteConnection::establish(path).unwrap();
    let mut p = PgConnection::establish(&postgres.url).unwrap();
    let of_sqlite = columns(diesel::sql_query(SQLITE_COLUMNS).load(&mut s).unwrap());
    let of_postgres = columns(diesel::sql_query(POSTGRES_COLUMNS).load(&mut p).unwrap());
    assert!(of_sqlite.len() > 150, "only {} columns were seen", of_sqlite.len());
    assert_eq!(of_sqlite, of_postgres);
    let of_sqlite = indexes(diesel::sql_query(SQLITE_INDEXES).load(&mut s).unwrap());
    let of_postgres = indexes(diesel::sql_query(POSTGRES_INDEXES).load(&mut p).unwrap());
    assert!(of_sqlite.len() > 40, "only {} indexes were seen", of_sqlite.len());
    assert_eq!(of_sqlite, of_postgres);
}

async fn migrate_concurrently(world: World) {
    let url = world.url.clone();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let config = Config { pool_size: Some(1), ..Config::new(&url) };
            tokio::spawn(async move { Db::open(&config).await.unwrap().migrate().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    world.db.migrate().await.unwrap();
    assert_eq!(world.read(db::meta::epoch).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_migrators_agree_on_sqlite() {
    migrate_concurrently(World::sqlite_unmigrated().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_migrators_agree_on_postgres() {
    migrate_concurrently(World::postgres_unmigrated().await).await;
}
