//! This file's job is to make the first organization, its owner and a key on first start.

use crate::app::people;
use crate::auth::key::ApiKey;
use crate::auth::verify::Hasher;
use crate::config::Config;
use crate::context::Context;
use crate::error::{Error, Result};
use db::Role;
use domain::id::{ApiKeyId, OrganizationId, UserId};
use domain::job::Tier;
use domain::{EmailAddress, Environment, Timestamp};
use secrecy::SecretString;

/// The key that is shown once, on first start.
#[derive(Debug)]
pub struct FirstKey {
    /// The whole key; nobody can read it again.
    pub key: SecretString,
    /// Short name of the organization that it belongs to.
    pub organization: String,
}

/// Makes the first organization, its owner and a key, unless there is an organization.
///
/// # Errors
/// Those of the database.
pub async fn run(context: &Context, config: &Config, hasher: &Hasher) -> Result<Option<FirstKey>> {
    if context.read(|conn| Ok(db::organizations::find_first(conn)?)).await?.is_some() {
        return Ok(None);
    }
    let key = ApiKey::generate(Environment::Live);
    let stored = hasher.hash(&key).await?;
    let now = context.clock.now();
    let owner = config.first_owner_email.parse().map_err(Error::in_field("first_owner_email"))?;
    let rows = Rows::new(config, owner, &key, stored, now);
    let made = context.change(move |tx, _| {
        // Another replica may start for the first time as well.
        if db::organizations::find_first(tx)?.is_some() {
            return Ok(false);
        }
        db::organizations::insert(tx, &rows.organization)?;
        db::accounts::insert(tx, &rows.account)?;
        db::members::insert(tx, &rows.member)?;
        db::api_keys::insert(tx, &rows.key)?;
        people::invite_first_owner(tx, &rows.account, now)?;
        Ok(true)
    });
    let was_made = match made.await {
        Ok(was_made) => was_made,
        Err(Error::Database(db::Error::AlreadyExists { .. })) => false,
        Err(error) => return Err(error),
    };
    let first = FirstKey { key: key.expose().to_owned().into(), organization: config.first_organization.clone() };
    Ok(was_made.then_some(first))
}

struct Rows {
    organization: db::organizations::Organization,
    account: db::accounts::Account,
    member: db::members::Member,
    key: db::api_keys::ApiKey,
}

impl Rows {
    fn new(config: &Config, owner: EmailAddress, key: &ApiKey, secret_bcrypt: String, now: Timestamp) -> Self {
        let organization = db::organizations::Organization {
            id: OrganizationId::from_parts(now, runtime::random::bytes()),
            slug: config.first_organization.clone(),
            name: config.first_organization.clone(),
            tier: Tier::P0,
            suspended: false,
            plan: domain::plan::PlanName::Enterprise,
            devices_blocked: false,
            created_at: now,
        };
        let account = db::accounts::Account {
            id: UserId::from_parts(now, runtime::random::bytes()),
            email: owner,
            name: "Owner".to_owned(),
            password_hash: None,
            email_verified_at: None,
            created_at: now,
        };
        let member = db::members::Member {
            organization: organization.id.clone(),
            account: account.id.clone(),
            role: Role::Owner,
            created_at: now,
        };
        let key = db::api_keys::ApiKey {
            id: ApiKeyId::from_parts(now, runtime::random::bytes()),
            organization: organization.id.clone(),
            public_id: key.public_id().to_owned(),
            secret_bcrypt,
            name: "first key".to_owned(),
            role: Role::Owner,
            scopes: Vec::new(),
            created_by: account.id.to_string(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        Self { organization, account, member, key }
    }
}
