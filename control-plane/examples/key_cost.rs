//! This file's job is to time how long a key takes to verify, for `./x bench auth`: prints one JSON document.
//!
//! The first argument says what: `cached` prints the 99th percentile of a key that is known, `bcrypt` the time of one that is not.

use control_plane::{ApiKey, Hasher, Verifier};
use db::{Db, Role};
use domain::Environment;
use domain::id::{ApiKeyId, OrganizationId};
use domain::job::Tier;
use domain::plan::PlanName;
use runtime::clock::Clock;
use runtime::secret::Secret;
use std::time::{Duration, Instant};

/// Enough for a percentile that holds still.
const CALLS: usize = 20_000;
/// The default of the configuration.
const BCRYPT_COST: u32 = 12;
/// So that the memory holds more than the one key.
const OTHER_KEYS: usize = 2;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let what = std::env::args().nth(1).unwrap_or_else(|| "cached".to_owned());
    let folder = tempfile::tempdir()?;
    let db = Db::open(&db::Config::new(format!("sqlite:{}", folder.path().join("keys.db").display()))).await?;
    db.migrate().await?;
    let hasher = Hasher::new(&Secret::from("pepper-pepper-pepper-pepper-pepper"), BCRYPT_COST);
    let organization = add_organization(&db).await?;
    let key = add_key(&db, &hasher, &organization).await?;
    let verifier = Verifier::new(db.clone(), Clock::system(), hasher.clone());
    let figure = match what.as_str() {
        "cached" => {
            for _ in 0..OTHER_KEYS {
                verifier.verify(add_key(&db, &hasher, &organization).await?.expose()).await?;
            }
            cached(&verifier, key.expose()).await?
        }
        "bcrypt" => {
            let begun = Instant::now();
            verifier.verify(key.expose()).await?;
            begun.elapsed()
        }
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

async fn add_key(db: &Db, hasher: &Hasher, organization: &OrganizationId) -> Result<ApiKey, Failure> {
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
    db.write(move |tx| db::api_keys::insert(tx, &row)).await?;
    Ok(key)
}
