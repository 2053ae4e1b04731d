//! This file's job is to describe the tables of what the platform notes about its own work to Diesel.

diesel::table! {
    meta (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        organization -> Text,
        actor_kind -> Text,
        actor_id -> Text,
        credential_id -> Nullable<Text>,
        action -> Text,
        resource -> Text,
        outcome -> Text,
        detail -> Text,
        #[sql_name = "at_us"]
        at -> BigInt,
        seq -> BigInt,
        previous_hash -> Nullable<Binary>,
        hash -> Nullable<Binary>,
    }
}

diesel::table! {
    idempotency (principal, request_id, method) {
        principal -> Text,
        request_id -> Text,
        method -> Text,
        request_hash -> Binary,
        response -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    outbox (seq) {
        seq -> BigInt,
        kind -> Text,
        app -> Text,
        channel -> Text,
        #[sql_name = "at_us"]
        at -> BigInt,
    }
}

diesel::table! {
    audit_head (organization) {
        organization -> Text,
        seq -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    feed (organization) {
        organization -> Text,
        last_seq -> BigInt,
        trimmed_seq -> BigInt,
    }
}

diesel::table! {
    feed_entry (organization, seq) {
        organization -> Text,
        seq -> BigInt,
        app -> Text,
        subject_kind -> Text,
        subject -> Text,
        stage -> Text,
        #[sql_name = "at_us"]
        at -> BigInt,
    }
}

diesel::table! {
    schedule (name) {
        name -> Text,
        worker -> Nullable<Text>,
        #[sql_name = "lease_until_us"]
        lease_until -> Nullable<BigInt>,
        fence -> BigInt,
        #[sql_name = "due_at_us"]
        due_at -> BigInt,
        #[sql_name = "done_at_us"]
        done_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    blob_condemned (sha256) {
        sha256 -> Binary,
        #[sql_name = "condemned_at_us"]
        condemned_at -> BigInt,
        removing -> Bool,
    }
}
