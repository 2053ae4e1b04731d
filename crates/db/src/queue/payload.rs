//! This file's job is to store what a job is about as text.

use crate::error::{Error, Result};
use domain::job::{Job, JobKind};
use serde_json::{Value, json};

/// Returns the stored form: a small JSON object of ids.
pub(crate) fn encode(work: &Job) -> String {
    match work {
        Job::ProcessUpload { upload } => json!({ "upload": upload.as_str() }),
        Job::PlanDeltas { release } => json!({ "release": release.as_str() }),
        Job::MakeDelta { from, to, effort } => {
            json!({ "from": from.as_str(), "to": to.as_str(), "effort": effort.as_str() })
        }
        Job::MakeVariants { bundle, effort } => json!({ "bundle": bundle.as_str(), "effort": effort.as_str() }),
        Job::MakePackage { release } => json!({ "release": release.as_str() }),
        Job::MakePackageDiff { from, to } => json!({ "from": from.as_str(), "to": to.as_str() }),
        Job::SendMail { mail } => json!({ "mail": mail.as_str() }),
        Job::SendWebhook { delivery } => json!({ "delivery": delivery.as_str() }),
    }
    .to_string()
}

/// Returns the id that people look a job up by.
pub(crate) fn subject(work: &Job) -> String {
    match work {
        Job::ProcessUpload { upload } => upload.to_string(),
        Job::PlanDeltas { release } | Job::MakePackage { release } => release.to_string(),
        Job::MakeDelta { to, .. } | Job::MakePackageDiff { to, .. } => to.to_string(),
        Job::MakeVariants { bundle, .. } => bundle.to_string(),
        Job::SendMail { mail } => mail.to_string(),
        Job::SendWebhook { delivery } => delivery.to_string(),
    }
}

/// Reads the stored form.
pub(crate) fn decode(kind: JobKind, payload: &str) -> Result<Job> {
    let value: Value = serde_json::from_str(payload).map_err(Error::internal)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(match kind {
        JobKind::ProcessUpload => Job::ProcessUpload { upload: text("upload").parse()? },
        JobKind::PlanDeltas => Job::PlanDeltas { release: text("release").parse()? },
        JobKind::MakeDelta => {
            Job::MakeDelta { from: text("from").parse()?, to: text("to").parse()?, effort: text("effort").parse()? }
        }
        JobKind::MakeVariants => Job::MakeVariants { bundle: text("bundle").parse()?, effort: text("effort").parse()? },
        JobKind::MakePackage => Job::MakePackage { release: text("release").parse()? },
        JobKind::MakePackageDiff => Job::MakePackageDiff { from: text("from").parse()?, to: text("to").parse()? },
        JobKind::SendMail => Job::SendMail { mail: text("mail").parse()? },
        JobKind::SendWebhook => Job::SendWebhook { delivery: text("delivery").parse()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::{BundleId, DeliveryId, MailId, ReleaseId, UploadId};
    use domain::job::DeltaEffort;

    #[test]
    fn every_kind_of_job_survives_storage() {
        let now = Timestamp::from_us(1);
        let works = [
            Job::ProcessUpload { upload: UploadId::from_parts(now, [1; 10]) },
            Job::PlanDeltas { release: ReleaseId::from_parts(now, [5; 10]) },
            Job::MakeDelta {
                from: BundleId::from_parts(now, [2; 10]),
                to: BundleId::from_parts(now, [3; 10]),
                effort: DeltaEffort::Best,
            },
            Job::MakeVariants { bundle: BundleId::from_parts(now, [6; 10]), effort: DeltaEffort::Quick },
            Job::MakePackage { release: ReleaseId::from_parts(now, [5; 10]) },
            Job::MakePackageDiff { from: BundleId::from_parts(now, [2; 10]), to: BundleId::from_parts(now, [3; 10]) },
            Job::SendMail { mail: MailId::from_parts(now, [4; 10]) },
            Job::SendWebhook { delivery: DeliveryId::from_parts(now, [6; 10]) },
        ];
        for work in works {
            assert_eq!(decode(work.kind(), &encode(&work)).unwrap(), work);
        }
        assert!(decode(JobKind::MakeDelta, "{}").is_err());
    }
}
