//! This file's job is to name the enumerations that only stored rows have.

use domain::text_enum;

text_enum! {
    /// What a member or an API key may do; `Owner` may everything.
    pub enum Role {
        /// Everything, billing and deletion included.
        Owner => "owner",
        /// Everything but ownership.
        Admin => "admin",
        /// Publish and change releases.
        Developer => "developer",
        /// Look.
        Viewer => "viewer",
    }
}

text_enum! {
    /// What a session was made for.
    pub enum SessionKind {
        /// The dashboard: its token is a cookie.
        Browser => "browser",
        /// `aloft login`: its token goes with every call.
        CommandLine => "command-line",
    }
}

text_enum! {
    /// What became of a program's request to be logged in.
    pub enum LoginState {
        /// Nobody has decided.
        Pending => "pending",
        /// A person lets it in.
        Approved => "approved",
        /// A person does not.
        Denied => "denied",
    }
}

text_enum! {
    /// What a secret of an app is.
    pub enum CredentialKind {
        /// Signs what Expo clients are told; an app has one at most, and its name is the one that apps know it by.
        SigningKey => "signing-key",
        /// Speaks to an app store.
        StoreToken => "store-token",
    }
}

text_enum! {
    /// What a mail is about.
    pub enum MailKind {
        /// Somebody wants an account; the link makes it.
        SignUp => "sign-up",
        /// Somebody wanted an account that exists.
        AccountExists => "account-exists",
        /// The link sets a new password.
        ResetPassword => "reset-password",
        /// The link makes its reader a member of an organization.
        Invitation => "invitation",
        /// Something about the account's safety has changed.
        SecurityNotice => "security-notice",
    }
}

text_enum! {
    /// Where an upload stands.
    pub enum UploadState {
        /// Bytes are arriving.
        Receiving => "receiving",
        /// All bytes are there; a job waits.
        Queued => "queued",
        /// A worker works on it.
        Processing => "processing",
        /// Its bundle is ready.
        Ready => "ready",
        /// It was refused; the failure says why.
        Failed => "failed",
        /// Given up by its owner, or expired.
        Cancelled => "cancelled",
    }
}

text_enum! {
    /// How a release came to be.
    pub enum ReleaseOrigin {
        /// A bundle was published.
        Publish => "publish",
        /// It was taken over from another channel.
        Promote => "promote",
        /// It brings back an earlier release.
        Rollback => "rollback",
    }
}

text_enum! {
    /// How a release names the binaries it is for; see [`domain::target::Target`].
    pub enum TargetKind {
        /// A range of binary versions.
        BinaryRange => "binary-range",
        /// One runtime version.
        RuntimeVersion => "runtime-version",
    }
}

text_enum! {
    /// How an audited call ended.
    pub enum AuditOutcome {
        /// It took effect.
        Done => "done",
        /// The caller may not.
        Denied => "denied",
        /// It failed.
        Failed => "failed",
    }
}

text_enum! {
    /// What happened to a channel.
    pub enum ChangeKind {
        /// Its snapshot has a new version.
        Changed => "changed",
        /// It is gone, or goes by another name.
        Deleted => "deleted",
    }
}

text_enum! {
    /// What kind of thing an entry of a feed is about.
    pub enum FeedSubject {
        /// An upload.
        Upload => "upload",
        /// A channel.
        Channel => "channel",
    }
}

text_enum! {
    /// Where a live job stands.
    pub enum JobState {
        /// May be claimed.
        Ready => "ready",
        /// Leased by a worker.
        Running => "running",
        /// Becomes ready at its `run_at`.
        Waiting => "waiting",
    }
}

text_enum! {
    /// How an attempt at a job ended.
    pub enum AttemptOutcome {
        /// Its effect was committed.
        Completed => "completed",
        /// It reported an error.
        Failed => "failed",
        /// Its worker stopped renewing the lease.
        LeaseLost => "lease-lost",
        /// It ran longer than its tier allows.
        Deadline => "deadline",
        /// Its worker was stopped; no attempt is charged.
        Released => "released",
    }
}

text_enum! {
    /// Where something that a webhook is told stands.
    pub enum DeliveryState {
        /// It is sent, or waits to be sent again.
        Pending => "pending",
        /// The receiver has it.
        Delivered => "delivered",
        /// It was given up.
        Failed => "failed",
    }
}

text_enum! {
    /// What an operator did with a dead job.
    pub enum DeadResolution {
        /// A new job was made of it.
        Retried => "retried",
        /// It was given up, with a reason.
        Discarded => "discarded",
    }
}
