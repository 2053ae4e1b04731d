//! This file's job is to seal secrets in the database anew when the master key has changed.

use crate::app::record;
use crate::auth::caller::Operator;
use crate::context::{Context, OperatorChange};
use crate::error::Result;
use db::Tx;
use db::credentials::Credential;
use db::webhooks::Webhook;
use domain::id::OrganizationId;
use runtime::vault::{Sealed, Vault};
use std::collections::BTreeMap;

/// Secrets that one transaction seals anew, so that it stays short.
const RESEALED_AT_ONCE: u32 = 200;

/// How many secrets of each organization were sealed anew.
type Counts = BTreeMap<OrganizationId, u64>;

/// Seals everything anew that is sealed under another master key than the newest one; returns how many secrets that were.
///
/// # Errors
/// When a secret cannot be opened: its master key is not configured any more. Those before it are sealed anew then.
pub async fn reseal(context: &Context, operator: Operator) -> Result<u64> {
    let mut total = 0;
    loop {
        let vault = context.vault.clone();
        let some = context.operate(operator.clone(), move |tx, change| {
            let count = reseal_credentials(tx, &vault, change)?;
            let count = count + reseal_webhooks(tx, &vault, change)?;
            Ok(count + reseal_second_factors(tx, &vault)?)
        });
        match some.await? {
            0 => return Ok(total),
            count => total += count,
        }
    }
}

fn reseal_credentials(tx: &mut Tx<'_>, vault: &Vault, change: &OperatorChange) -> Result<u64> {
    let rows = db::credentials::list_sealed_otherwise(tx, vault.current(), RESEALED_AT_ONCE)?;
    let mut organizations = Counts::new();
    for (row, organization) in rows {
        let old = Sealed { master_key: row.master_key.clone(), bytes: row.sealed_secret.clone() };
        let Sealed { master_key, bytes: sealed_secret } = vault.reseal(row.id.as_str(), &old)?;
        db::credentials::set_secret(tx, &Credential { sealed_secret, master_key, ..row })?;
        *organizations.entry(organization).or_default() += 1;
    }
    note(tx, vault, change, "credentials", &organizations)
}

fn reseal_webhooks(tx: &mut Tx<'_>, vault: &Vault, change: &OperatorChange) -> Result<u64> {
    let mut organizations = Counts::new();
    for row in db::webhooks::list_sealed_otherwise(tx, vault.current(), RESEALED_AT_ONCE)? {
        let anew = |bytes: &[u8], master_key: &str| {
            vault.reseal(row.id.as_str(), &Sealed { master_key: master_key.to_owned(), bytes: bytes.to_vec() })
        };
        let Sealed { master_key, bytes: sealed_secret } = anew(&row.sealed_secret, &row.master_key)?;
        let previous = match (&row.previous_secret, &row.previous_master_key) {
            (Some(bytes), Some(master_key)) => Some(anew(bytes, master_key)?),
            (Some(_) | None, _) => None,
        };
        let (previous_secret, previous_master_key) = previous.map(|sealed| (sealed.bytes, sealed.master_key)).unzip();
        let organization = row.organization.clone();
        let row = Webhook { sealed_secret, master_key, previous_secret, previous_master_key, ..row };
        db::webhooks::apply(tx, &row, change.now)?;
        *organizations.entry(organization).or_default() += 1;
    }
    note(tx, vault, change, "webhooks", &organizations)
}

fn note(tx: &mut Tx<'_>, vault: &Vault, change: &OperatorChange, what: &str, organizations: &Counts) -> Result<u64> {
    for (organization, count) in organizations {
        let count = count.to_string();
        let facts = [(what, count.as_str()), ("master_key", vault.current())];
        record::operated(tx, change, organization, "ResealSecrets", &facts)?;
    }
    Ok(organizations.values().sum())
}

fn reseal_second_factors(tx: &mut Tx<'_>, vault: &Vault) -> Result<u64> {
    let rows = db::second_factors::list_sealed_otherwise(tx, vault.current(), RESEALED_AT_ONCE)?;
    let count = rows.len() as u64;
    for row in rows {
        let old = Sealed { master_key: row.master_key, bytes: row.sealed_secret };
        let new = vault.reseal(row.account.as_str(), &old)?;
        db::second_factors::reseal(tx, &row.account, &new.bytes, &new.master_key)?;
    }
    Ok(count)
}
