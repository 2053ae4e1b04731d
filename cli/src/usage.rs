//! This file's job is `aloft usage`: show what the plan allows and what is used of it.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::table;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// What the plan allows and what is used of it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.GetUsageResponse and aloft.v1.Plan")]
pub struct Usage {
    pub plan: String,
    pub open_uploads: u64,
    pub uploads_max: u32,
    pub builds: u64,
    pub builds_per_month: u32,
    pub devices: u64,
    pub devices_max: u64,
    pub archive_max_bytes: u64,
    pub requests_per_minute: u32,
}

impl Display for Usage {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&table::pairs(&[
            ("plan", self.plan.clone()),
            ("open uploads", format!("{} of {}", self.open_uploads, self.uploads_max)),
            ("builds this month", format!("{} of {}", self.builds, self.builds_per_month)),
            ("devices", format!("{} of {}", self.devices, self.devices_max)),
            ("largest archive", format!("{} bytes", self.archive_max_bytes)),
            ("requests a minute", self.requests_per_minute.to_string()),
        ]))
    }
}

/// Asks the server.
pub async fn run(connection: &Connection) -> Result<AnyReport, Error> {
    let answer = connection.answer(connection.audit().get_usage(v1::GetUsageRequest {}).await)?;
    let plan = answer.plan.ok_or_else(|| Error::missing("the plan"))?;
    Ok(Box::new(Usage {
        plan: plan.plan,
        open_uploads: answer.open_uploads,
        uploads_max: plan.uploads_max,
        builds: answer.builds,
        builds_per_month: plan.builds_per_month,
        devices: answer.devices,
        devices_max: plan.devices_max,
        archive_max_bytes: plan.archive_max_bytes,
        requests_per_minute: plan.requests_per_minute,
    }))
}
