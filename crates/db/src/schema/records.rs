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
