//! This file's job is `aloft device`: refuse single devices, and renew what the tokens of all are made with.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Refuses single devices, and renews what the tokens of all are made with.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Refuses a device from now on: it gets no updates, and its reports are not taken.
    #[command(after_help = "Example:\n  aloft device revoke dev_01j9z3k4m5n6p7q8r9s0t1v2w3 --app trailhead")]
    Revoke(One),
    /// Takes a revocation back.
    Restore(One),
    /// Lists the devices that are refused.
    Revoked {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        of: OfApp,
    },
    /// Makes a new secret for device tokens. Tokens of the seven before stay good.
    RotateKey {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        of: OfApp,
        /// Refuse tokens of all earlier secrets: every device registers again at its next request.
        #[arg(long)]
        retire_earlier: bool,
    },
}

/// Whose devices.
#[derive(Debug, clap::Args)]
pub struct OfApp {
    /// The app: its short name or its id.
    #[arg(long, env = "ALOFT_APP", value_name = "APP")]
    pub app: String,
}

/// One device.
#[derive(Debug, clap::Args)]
pub struct One {
    /// The device's id, "dev_…".
    pub device: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub of: OfApp,
}

/// A device that is refused.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.DeviceRevocation")]
pub struct Revocation {
    pub device_id: String,
    pub created_by: String,
    pub created_at_us: i64,
}

impl From<v1::DeviceRevocation> for Revocation {
    fn from(revocation: v1::DeviceRevocation) -> Self {
        let v1::DeviceRevocation { device_id, created_by, created_at_us } = revocation;
        Self { device_id, created_by, created_at_us }
    }
}

impl Display for Revocation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} is refused from now on", self.device_id)
    }
}

/// All devices that are refused.
#[derive(Debug, Serialize)]
pub struct Revocations {
    /// The devices, by id.
    pub revocations: Vec<Revocation>,
}

impl Display for Revocations {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row =
            |one: &Revocation| vec![one.device_id.clone(), one.created_by.clone(), moment::text(one.created_at_us)];
        let rows: Vec<_> = self.revocations.iter().map(row).collect();
        f.write_str(&table::text(&["device", "by", "revoked"], &rows))
    }
}

/// That a revocation was taken back.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The device.
    pub restored: String,
}

impl Display for Restored {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} is served again", self.restored)
    }
}

/// The new secret.
#[derive(Debug, Serialize)]
pub struct Rotated {
    /// Its number; tokens name it.
    pub generation: u32,
}

impl Display for Rotated {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "device tokens are made with secret {} from now on", self.generation)
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Revoke(One { device: device_id, of }) => {
            let request = v1::RevokeDeviceRequest { parent: names::app(&of.app)?, device_id };
            let answer = connection.answer(connection.devices().revoke_device(request).await)?;
            Ok(Box::new(Revocation::from(answer.revocation.ok_or_else(|| Error::missing("the revocation"))?)))
        }
        Command::Restore(One { device, of }) => {
            let request = v1::RestoreDeviceRequest { parent: names::app(&of.app)?, device_id: device.clone() };
            connection.answer(connection.devices().restore_device(request).await)?;
            Ok(Box::new(Restored { restored: device }))
        }
        Command::Revoked { of } => {
            let listed = paging::revoked_devices(connection, &names::app(&of.app)?).await?;
            Ok(Box::new(Revocations { revocations: listed.into_iter().map(Into::into).collect() }))
        }
        Command::RotateKey { of, retire_earlier } => {
            let request = v1::RotateDeviceKeyRequest { parent: names::app(&of.app)?, retire_earlier };
            let answer = connection.answer(connection.devices().rotate_device_key(request).await)?;
            Ok(Box::new(Rotated { generation: answer.generation }))
        }
    }
}
