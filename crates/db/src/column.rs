//! This file's job is to carry domain values over the border between rows and columns.

use crate::error::{Error, Result};
use domain::bundle::{Coding, Engine, FileRole, Stage};
use domain::codepush::DeploymentKey;
use domain::device::DeviceKey;
use domain::expo::{AssetRequestHeaders, ServerDefinedHeaders, UpdateId};
use domain::id::{
    ApiKeyId, AppId, AuditId, BinaryId, BundleId, ChannelId, CredentialId, DeliveryId, DeviceId, EdgeId, EventId,
    InvitationId, JobId, MailId, MessageId, OrganizationId, PublisherId, ReleaseId, SessionId, UploadId, UserId,
    WebhookId, WorkerId,
};
use domain::job::{DeltaEffort, JobKind, Lane, Tier};
use domain::name::OrganizationSlug;
use domain::plan::PlanName;
use domain::release::{Retreat, RolloutState};
use domain::telemetry::EventKind;
use domain::warning::{BundlePolicy, Warning};
use domain::webhook::WebhookEvent;
use domain::{AppSlug, ChannelName, EmailAddress, Environment, Platform, Ppm, Sha256, Timestamp};
use serde_json::{Value, json};

/// A value that one column holds.
pub(crate) trait Column: Sized {
    /// The type that Diesel reads and writes.
    type Sql;
    /// Returns what is stored.
    fn to_sql(&self) -> Self::Sql;
    /// Reads what is stored; an internal error when it breaks a rule.
    fn from_sql(stored: Self::Sql) -> Result<Self>;
}

macro_rules! text_columns {
    ($($name:ty),+ $(,)?) => {$(
        impl Column for $name {
            type Sql = String;
            fn to_sql(&self) -> String {
                self.to_string()
            }
            fn from_sql(stored: String) -> Result<Self> {
                Ok(stored.parse::<$name>()?)
            }
        }
    )+};
}

text_columns!(
    ApiKeyId,
    AppId,
    AuditId,
    BinaryId,
    BundleId,
    ChannelId,
    DeviceId,
    EdgeId,
    EventId,
    JobId,
    OrganizationId,
    ReleaseId,
    UploadId,
    UserId,
    WorkerId,
    AppSlug,
    ChannelName,
    DeploymentKey,
    DeviceKey,
    UpdateId,
    AssetRequestHeaders,
    ServerDefinedHeaders,
    Environment,
    PlanName,
    Platform,
    JobKind,
    Lane,
    Coding,
    DeltaEffort,
    Engine,
    FileRole,
    Stage,
    BundlePolicy,
    Retreat,
    RolloutState,
    EventKind,
    crate::Role,
    crate::SessionKind,
    crate::LoginState,
    crate::CredentialKind,
    CredentialId,
    PublisherId,
    WebhookId,
    DeliveryId,
    MessageId,
    WebhookEvent,
    crate::DeliveryState,
    crate::MailKind,
    InvitationId,
    MailId,
    SessionId,
    EmailAddress,
    OrganizationSlug,
    crate::UploadState,
    crate::ReleaseOrigin,
    crate::TargetKind,
    crate::AuditOutcome,
    crate::ChangeKind,
    crate::FeedSubject,
    crate::JobState,
    crate::AttemptOutcome,
    crate::DeadResolution,
);

macro_rules! plain_columns {
    ($($name:ty),+) => {$(
        impl Column for $name {
            type Sql = Self;
            fn to_sql(&self) -> Self {
                self.clone()
            }
            fn from_sql(stored: Self) -> Result<Self> {
                Ok(stored)
            }
        }
    )+};
}

plain_columns!(String, bool, i64, Vec<u8>);

macro_rules! integer_columns {
    ($($name:ty),+) => {$(
        impl Column for $name {
            type Sql = i64;
            /// Values above `i64::MAX` are no real sizes or counters; they stop there.
            fn to_sql(&self) -> i64 {
                i64::try_from(*self).unwrap_or(i64::MAX)
            }
            fn from_sql(stored: i64) -> Result<Self> {
                Self::try_from(stored).map_err(Error::internal)
            }
        }
    )+};
}

integer_columns!(u64, u32);

impl Column for Timestamp {
    type Sql = i64;
    fn to_sql(&self) -> i64 {
        self.as_us()
    }
    fn from_sql(stored: i64) -> Result<Self> {
        Ok(Self::from_us(stored))
    }
}

/// Tiers are numbers, because jobs sort by them.
impl Column for Tier {
    type Sql = i64;
    fn to_sql(&self) -> i64 {
        i64::from(self.number())
    }
    fn from_sql(stored: i64) -> Result<Self> {
        let number = i32::try_from(stored).map_err(Error::internal)?;
        Self::from_number(number).ok_or_else(|| Error::internal("there is no such tier"))
    }
}

impl Column for Ppm {
    type Sql = i64;
    fn to_sql(&self) -> i64 {
        i64::from(self.get())
    }
    fn from_sql(stored: i64) -> Result<Self> {
        Ok(Self::new(u32::from_sql(stored)?)?)
    }
}

impl Column for Sha256 {
    type Sql = Vec<u8>;
    fn to_sql(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_sql(stored: Vec<u8>) -> Result<Self> {
        Ok(Self::try_from(stored.as_slice())?)
    }
}

impl Column for [u8; 32] {
    type Sql = Vec<u8>;
    fn to_sql(&self) -> Vec<u8> {
        self.to_vec()
    }
    fn from_sql(stored: Vec<u8>) -> Result<Self> {
        stored.as_slice().try_into().map_err(Error::internal)
    }
}

/// The 32 bytes of each hash, one after the other.
impl Column for Vec<Sha256> {
    type Sql = Vec<u8>;
    fn to_sql(&self) -> Vec<u8> {
        self.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }
    fn from_sql(stored: Vec<u8>) -> Result<Self> {
        stored.chunks(32).map(|bytes| Ok(Sha256::try_from(bytes)?)).collect()
    }
}

/// A JSON array of texts, never queried in SQL.
impl Column for Vec<String> {
    type Sql = String;
    fn to_sql(&self) -> String {
        serde_json::Value::from(self.clone()).to_string()
    }
    fn from_sql(stored: String) -> Result<Self> {
        serde_json::from_str(&stored).map_err(Error::internal)
    }
}

/// A JSON array of objects, never queried in SQL.
impl Column for Vec<Warning> {
    type Sql = String;
    fn to_sql(&self) -> String {
        let object = |warning: &Warning| json!({ "kind": warning.kind.as_str(), "message": warning.message });
        Value::Array(self.iter().map(object).collect()).to_string()
    }
    fn from_sql(stored: String) -> Result<Self> {
        let warnings: Vec<Value> = serde_json::from_str(&stored).map_err(Error::internal)?;
        let text = |warning: &Value, name: &str| warning[name].as_str().unwrap_or_default().to_owned();
        let warning =
            |stored: &Value| Ok(Warning { kind: text(stored, "kind").parse()?, message: text(stored, "message") });
        warnings.iter().map(warning).collect()
    }
}

/// Their words with commas between.
impl Column for Vec<WebhookEvent> {
    type Sql = String;
    fn to_sql(&self) -> String {
        self.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(",")
    }
    fn from_sql(stored: String) -> Result<Self> {
        stored.split(',').filter(|word| !word.is_empty()).map(|word| Ok(word.parse()?)).collect()
    }
}

impl<T: Column> Column for Option<T> {
    type Sql = Option<T::Sql>;
    fn to_sql(&self) -> Self::Sql {
        self.as_ref().map(T::to_sql)
    }
    fn from_sql(stored: Self::Sql) -> Result<Self> {
        stored.map(T::from_sql).transpose()
    }
}

/// Defines a public row of domain values and beside it the private row of stored values, with conversions both ways:
/// `row! { /// doc \n pub struct App as AppRow in app { /// doc \n pub id: AppId } }`. The field names are the columns' names.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident as $stored:ident in $table:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name { $($(#[$field_meta])* pub $field: $type),+ }

        #[derive(diesel::Queryable, diesel::Selectable, diesel::Insertable)]
        #[diesel(table_name = crate::schema::$table, treat_none_as_default_value = false)]
        pub(crate) struct $stored { $($field: <$type as $crate::column::Column>::Sql),+ }

        impl From<&$name> for $stored {
            fn from(row: &$name) -> Self {
                Self { $($field: $crate::column::Column::to_sql(&row.$field)),+ }
            }
        }

        impl TryFrom<$stored> for $name {
            type Error = $crate::Error;
            fn try_from(stored: $stored) -> $crate::Result<Self> {
                Ok(Self { $($field: $crate::column::Column::from_sql(stored.$field)?),+ })
            }
        }
    };
}
pub(crate) use row;

/// Reads every row; an internal error when one breaks a rule.
pub(crate) fn all<S, T: TryFrom<S, Error = Error>>(stored: Vec<S>) -> Result<Vec<T>> {
    stored.into_iter().map(T::try_from).collect()
}

/// Returns the page size as Diesel takes it, at most [`crate::PAGE_MAX`].
pub(crate) fn page(limit: u32) -> i64 {
    i64::from(limit.min(crate::PAGE_MAX))
}

/// Rows in one INSERT: keeps the bound values of the widest table below SQLite's 32,766 and PostgreSQL's 65,535.
pub(crate) const INSERT_ROWS_MAX: usize = 500;
/// Values in one IN list, for the same reason.
pub(crate) const IN_LIST_MAX: usize = 1_000;
/// Sorts after every id, for pages that start at the newest.
pub(crate) const ID_END: &str = "~";
