//! This file's job is to give each test a PostgreSQL database of its own.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names the cluster to use, as a URL with a database that exists.
const VARIABLE: &str = "ALOFT_TEST_POSTGRES_URL";

/// The answer of a query for one number.
#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

/// An empty database that is dropped together with this value, whoever is still connected.
pub struct TestDatabase {
    cluster_url: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Creates a database. Panics with a hint when no cluster is named.
    #[must_use]
    pub fn create() -> Self {
        static CREATED: AtomicU64 = AtomicU64::new(0);
        let Ok(cluster_url) = std::env::var(VARIABLE) else {
            panic!("{VARIABLE} is not set: run the tests through `./x test`, which starts a PostgreSQL cluster");
        };
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        // The time as well: a killed run may leave databases behind, and process ids come again.
        let name = format!("aloft_test_{}_{}_{number}", std::process::id(), since_1970.as_nanos());
        execute(&cluster_url, &format!("CREATE DATABASE {name}"));
        let url = with_database(&cluster_url, &name);
        Self { cluster_url, name, url }
    }

    /// Returns the URL of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL of the database with another address, given the server's own, for instance `127.0.0.1:5432`.
    ///
    /// # Panics
    /// When the cluster listens on a socket in the file system only.
    #[must_use]
    pub fn behind(&self, address: impl FnOnce(&str) -> String) -> String {
        let start = self.url.find("://").expect("a URL") + 3;
        let end = start + self.url[start..].find('/').expect("a URL with a database");
        let host = self.url[start..end].find('@').map_or(start, |at| start + at + 1);
        assert!(host < end, "the cluster has no address: {}", self.url);
        let server = &self.url[host..end];
        self.url.replacen(server, &address(server), 1)
    }

    /// Runs statements as the cluster's superuser, inside this database.
    pub fn execute(&self, sql: &str) {
        execute(&self.url, sql);
    }

    /// Returns the number that a query gives.
    #[must_use]
    pub fn count(&self, sql: &str) -> i64 {
        use diesel::RunQueryDsl as _;
        let mut conn = PgConnection::establish(&self.url).expect("the test cluster answers");
        let query = diesel::sql_query(format!("SELECT CAST(({sql}) AS BIGINT) AS number"));
        query.get_result::<Count>(&mut conn).expect("the test cluster answers the query").number
    }

    /// Ends every connection to this database, as a crash of the server would, and waits until they are gone.
    pub fn kill_connections(&self) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        );
        execute(&self.cluster_url, &sql);
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A failure here must not hide the test's own: the cluster goes away after the run in any case.
        if let Ok(mut conn) = PgConnection::establish(&self.cluster_url) {
            let _dropped = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

fn execute(url: &str, sql: &str) {
    let mut conn = PgConnection::establish(url).expect("the test cluster answers");
    conn.batch_execute(sql).expect("the test cluster accepts the statement");
}

/// Replaces the database in a URL and keeps everything else.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, ""), |(base, rest)| (base, rest));
    let authority_start = base.find("://").map_or(0, |at| at + 3);
    let authority_end = base[authority_start..].find('/').map_or(base.len(), |at| authority_start + at);
    let separator = if parameters.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{parameters}", &base[..authority_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_replaced() {
        assert_eq!(with_database("postgres://u@h:1/postgres", "x"), "postgres://u@h:1/x");
        assert_eq!(with_database("postgres://u@h", "x"), "postgres://u@h/x");
        assert_eq!(with_database("postgres:///a?host=/tmp/s&port=2", "x"), "postgres:///x?host=/tmp/s&port=2");
    }

    #[test]
    fn a_database_goes_with_its_value() {
        let (database, other) = (TestDatabase::create(), TestDatabase::create());
        database.execute("CREATE TABLE t (x INT)");
        let url = database.url().to_owned();
        assert_ne!(url, other.url());
        drop(database);
        assert!(PgConnection::establish(&url).is_err());
    }
}
