//! This file's job is `aloft key`: make, list, change, roll and revoke API keys.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_HOUR: u64 = 3_600;
const SECONDS_PER_DAY: u64 = 24 * SECONDS_PER_HOUR;

/// Which channels a key sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Environment {
    /// Channels of real devices.
    Live,
    /// Channels for trials.
    Test,
}

impl From<Environment> for v1::Environment {
    fn from(environment: Environment) -> Self {
        match environment {
            Environment::Live => Self::Live,
            Environment::Test => Self::Test,
        }
    }
}

/// Makes, lists, changes, rolls and revokes API keys.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a key and shows it once.
    #[command(
        after_help = "Examples:\n  aloft key create ci --app trailhead --action release.write --action upload.write --action '*.read'\n  aloft key create trial --environment test --expires 30d"
    )]
    Create {
        /// Name for people.
        name: String,
        /// owner, admin, developer or viewer: what it may do at most.
        #[arg(long, default_value = "developer")]
        role: String,
        /// Which channels it sees.
        #[arg(long, value_enum, default_value = "live")]
        environment: Environment,
        /// Limit it to this app, by short name or id; may be given more than once.
        #[arg(long = "app", value_name = "APP")]
        apps: Vec<String>,
        /// Limit it to this action, for instance release.write or '*.read'; may be given more than once.
        #[arg(long = "action", value_name = "RESOURCE.ACTION")]
        actions: Vec<String>,
        /// Let it stop working after this time: 12h, 30d.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
    },
    /// Lists the organization's keys, revoked and expired ones too.
    List,
    /// Shows a key's limits and dates.
    Get {
        /// The key's id.
        key: String,
    },
    /// Changes a key's name, or when it stops working.
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
    Update {
        /// The key's id.
        key: String,
        /// Name for people.
        #[arg(long, group = "change")]
        name: Option<String>,
        /// Let it stop working after this time from now on: 12h, 30d.
        #[arg(long, value_name = "TIME", value_parser = duration, group = "change")]
        expires: Option<Duration>,
    },
    /// Makes a key like this one, shows it once, and lets the old one live on for a while.
    Roll {
        /// The key's id.
        key: String,
        /// How long the old key lives on: 0h, 12h, 7d; at most 30d.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
        keep: Duration,
    },
    /// Ends a key for good.
    Revoke {
        /// The key's id.
        key: String,
    },
}

/// A key without its secret.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ApiKey")]
pub struct Key {
    pub name: String,
    pub key_id: String,
    pub public_id: String,
    pub display_name: String,
    pub role: String,
    pub environment: &'static str,
    pub apps: Vec<String>,
    pub actions: Vec<String>,
    pub created_by: String,
    pub created_at_us: i64,
    pub expires_at_us: i64,
    pub revoked_at_us: i64,
    pub last_used_at_us: i64,
    /// The whole key; only right after it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl Key {
    fn new(key: v1::ApiKey, secret: Option<String>) -> Self {
        let environment = match key.environment() {
            v1::Environment::Test => "test",
            v1::Environment::Live | v1::Environment::Unspecified => "live",
        };
        Self {
            name: key.name,
            key_id: key.key_id,
            public_id: key.public_id,
            display_name: key.display_name,
            role: key.role,
            environment,
            apps: key.apps,
            actions: key.actions,
            created_by: key.created_by,
            created_at_us: key.created_at_us,
            expires_at_us: key.expires_at_us,
            revoked_at_us: key.revoked_at_us,
            last_used_at_us: key.last_used_at_us,
            secret,
        }
    }

    fn state(&self) -> String {
        match (self.revoked_at_us, self.expires_at_us) {
            (0, 0) => "valid".to_owned(),
            (0, at) => format!("until {}", moment::text(at)),
            (at, _) => format!("revoked {}", moment::text(at)),
        }
    }

    fn limits(&self) -> String {
        let limits: Vec<&str> = self.apps.iter().chain(&self.actions).map(String::as_str).collect();
        if limits.is_empty() { "none".to_owned() } else { limits.join(" ") }
    }

    fn last_used(&self) -> String {
        if self.last_used_at_us == 0 { "never".to_owned() } else { moment::text(self.last_used_at_us) }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut pairs = vec![
            ("key", self.display_name.clone()),
            ("id", self.key_id.clone()),
            ("public part", self.public_id.clone()),
            ("role", self.role.clone()),
            ("limits", self.limits()),
            ("state", self.state()),
            ("last used", self.last_used()),
        ];
        // Shown once: whoever loses it makes another one.
        pairs.extend(self.secret.clone().map(|secret| ("secret", secret)));
        f.write_str(&table::pairs(&pairs))
    }
}

/// All keys.
#[derive(Debug, Serialize)]
pub struct Keys {
    /// The keys, oldest first.
    pub keys: Vec<Key>,
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |key: &Key| {
            vec![
                key.display_name.clone(),
                key.public_id.clone(),
                key.role.clone(),
                key.state(),
                key.last_used(),
                key.key_id.clone(),
            ]
        };
        let rows: Vec<_> = self.keys.iter().map(row).collect();
        f.write_str(&table::text(&["key", "public part", "role", "state", "last used", "id"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { name, role, environment, apps, actions, expires } => {
            let request = v1::CreateApiKeyRequest {
                display_name: name,
                role,
                environment: v1::Environment::from(environment).into(),
                apps,
                actions,
                expires_at_us: expires.map_or(0, from_now_us),
            };
            let answer = connection.answer(connection.keys().create_api_key(request).await)?;
            show(answer.api_key, Some(answer.secret))
        }
        Command::List => {
            let keys = paging::api_keys(connection).await?.into_iter().map(|key| Key::new(key, None)).collect();
            Ok(Box::new(Keys { keys }))
        }
        Command::Get { key } => {
            let request = v1::GetApiKeyRequest { name: names::key(&key)? };
            show(connection.answer(connection.keys().get_api_key(request).await)?.api_key, None)
        }
        Command::Update { key, name, expires } => {
            let paths = [("display_name", name.is_some()), ("expires_at_us", expires.is_some())];
            let paths = paths.into_iter().filter(|(_, is_given)| *is_given).map(|(path, _)| path.to_owned()).collect();
            let api_key = v1::ApiKey {
                name: names::key(&key)?,
                display_name: name.unwrap_or_default(),
                expires_at_us: expires.map_or(0, from_now_us),
                ..Default::default()
            };
            let update_mask = Some(prost_types::FieldMask { paths });
            let request = v1::UpdateApiKeyRequest { api_key: Some(api_key), update_mask };
            show(connection.answer(connection.keys().update_api_key(request).await)?.api_key, None)
        }
        Command::Roll { key, keep } => {
            let keep_seconds = i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
            let request = v1::RollApiKeyRequest { name: names::key(&key)?, keep_seconds };
            let answer = connection.answer(connection.keys().roll_api_key(request).await)?;
            show(answer.api_key, Some(answer.secret))
        }
        Command::Revoke { key } => {
            let request = v1::RevokeApiKeyRequest { name: names::key(&key)? };
            show(connection.answer(connection.keys().revoke_api_key(request).await)?.api_key, None)
        }
    }
}

fn show(key: Option<v1::ApiKey>, secret: Option<String>) -> Result<AnyReport, Error> {
    Ok(Box::new(Key::new(key.ok_or_else(|| Error::missing("the key"))?, secret)))
}

fn from_now_us(duration: Duration) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.saturating_add(duration).as_micros()).unwrap_or(i64::MAX)
}

/// Reads `12h` or `30d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || "write hours or days, for instance 12h or 30d".to_owned();
    let unit_seconds = match text.chars().last() {
        Some('h') => SECONDS_PER_HOUR,
        Some('d') => SECONDS_PER_DAY,
        Some(_) | None => return Err(refuse()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| refuse())?;
    count.checked_mul(unit_seconds).map(Duration::from_secs).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hours_or_days() {
        assert_eq!(duration("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(2_592_000)));
        for bad in ["", "h", "12", "-1d", "1w", "1.5d", "99999999999999999999d", "1é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
