//! This file's job is to time how long a key takes to verify, for `./x bench auth`: prints one JSON document.
//!
//! The first argument says what: `cached` prints the 99th percentile of a key that is known, `bcrypt` the time of one that is not,
//! `revoked` the longest time that a key lives on at another replica. The second one is a database instead of a new file.

use control_plane::{ApiKey, Hasher, Verifier, Watch};
use db::{Db, Role, Scope};
use domain::Environment;
use domain::id::{ApiKeyId, OrganizationId};
use domain::job::Tier;
use domain::plan::PlanName;
use runtime::clock::Clock;
use runtime::secret::Secret;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Enough for a percentile that holds still.
const CALLS: usize = 20_000;
/// The default of the configuration.
const BCRYPT_COST: u32 = 12;
/// Keys that are revoked one after the other.
const REVOKED: usize = 100;
/// The default of `control_plane.poll_ms`.
const POLL: Duration = Duration::from_millis(500);
/// The cheapest one: the time before the revocation does not count.
const REVOKED_BCRYPT_COST: u32 = 4;
/// So that the memory holds more than the one key.
const OTHER_KEYS: usize = 2;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let what = std::env::args().nth(1).unwrap_or_else(|| "cached".to_owned());
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("keys.db").display());
    let config = db::Config::new(std::env::args().nth(2).unwrap_or(file));
    let db = Db::open(&config).await?;
    db.migrate().await?;
    let hasher = Hasher::new(&Secret::from("pepper-pepper-pepper-pepper-pepper"), BCRYPT_COST);
    let organization = add_organization(&db).await?;
    let (_, key) = add_key(&db, &hasher, &organization).await?;
    let verifier = Verifier::new(db.clone(), Clock::system(), hasher.clone());
    let figure = match what.as_str() {
        "cached" => {
            for _ in 0..OTHER_KEYS {
                verifier.verify(add_key(&db, &hasher, &organization).await?.1.expose()).await?;
            }
            cached(&verifier, key.expose()).await?
        }
        "bcrypt" => {
            let begun = Instant::now();
            verifier.verify(key.expose()).await?;
            begun.elapsed()
        }
        "revoked" => revoked(&db, Db::open(&config).await?, &organization).await?,
        other => return Err(format!("there is no case {other}").into()),
    };
    println!("{}", serde_json::json!({ "us": figure.as_secs_f64() * 1e6 }));
    Ok(())
}

async fn cached(verifier: &Verifier, key: &str) -> Result<Duration, Failure> {
    verifier.verify(key).await?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        verifier.verify(key).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[CALLS * 99 / 100])
}

/// Revokes keys at one replica and returns how long the longest one lived on at the other.
async fn revoked(first: &Db, second: Db, organization: &OrganizationId) -> Result<Duration, Failure> {
    let hasher = Hasher::new(&Secret::from("pepper-pepper-pepper-pepper-pepper"), REVOKED_BCRYPT_COST);
    let verifier = Arc::new(Verifier::new(second.clone(), Clock::system(), hasher.clone()));
    let (shutdown, stop) = runtime::shutdown::channel();
    let watching = tokio::spawn(Watch::new(second, Arc::clone(&verifier)).run(POLL, stop));
    let mut longest = Duration::ZERO;
    for _ in 0..REVOKED {
        let (id, key) = add_key(first, &hasher, organization).await?;
        verifier.verify(key.expose()).await?;
        let (scope, now) = (Scope::authorized(organization.clone()), Clock::system().now());
        first.write(move |tx| db::api_keys::revoke(tx, &scope, &id, now)).await?;
        let begun = Instant::now();
        while verifier.verify(key.expose()).await.is_ok() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        longest = longest.max(begun.elapsed());
    }
    shutdown.stop();
    watching.await?;
    Ok(longest)
}

async fn add_organization(db: &Db) -> Result<OrganizationId, Failure> {
    let now = Clock::system().now();
    let row = db::organizations::Organization {
        id: OrganizationId::from_parts(now, runtime::random::bytes()),
        slug: "bench".to_owned(),
        name: "bench".to_owned(),
        tier: Tier::P0,
        suspended: false,
        plan: PlanName::Enterprise,
        devices_blocked: false,
        created_at: now,
    };
    let id = row.id.clone();
    db.write(move |tx| db::organizations::insert(tx, &row)).await?;
    Ok(id)
}

async fn add_key(db: &Db, hasher: &Hasher, organization: &OrganizationId) -> Result<(ApiKeyId, ApiKey), Failure> {
    let key = ApiKey::generate(Environment::Live);
    let now = Clock::system().now();
    let row = db::api_keys::ApiKey {
        id: ApiKeyId::from_parts(now, runtime::random::bytes()),
        organization: organization.clone(),
        public_id: key.public_id().to_owned(),
        secret_bcrypt: hasher.hash(&key).await?,
        name: "bench".to_owned(),
        role: Role::Developer,
        scopes: Vec::new(),
        created_by: "bench".to_owned(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let id = row.id.clone();
    db.write(move |tx| db::api_keys::insert(tx, &row)).await?;
    Ok((id, key))
}
