//! This file's job is to describe the tables of organizations, their people, and their keys to Diesel.

diesel::table! {
    organization (id) {
        id -> Text,
        slug -> Text,
        name -> Text,
        tier -> BigInt,
        suspended -> Bool,
        plan -> Text,
        devices_blocked -> Bool,
        devices_full -> Bool,
        devices_nearly_full -> Bool,
        slug_skeleton -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    account (id) {
        id -> Text,
        email -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        #[sql_name = "email_verified_at_us"]
        email_verified_at -> Nullable<BigInt>,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    member (organization, account) {
        organization -> Text,
        account -> Text,
        role -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    api_key (id) {
        id -> Text,
        organization -> Text,
        public_id -> Text,
        secret_bcrypt -> Text,
        name -> Text,
        role -> Text,
        scopes -> Text,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> Nullable<BigInt>,
        #[sql_name = "revoked_at_us"]
        revoked_at -> Nullable<BigInt>,
        #[sql_name = "last_used_at_us"]
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    credential_change (seq) {
        seq -> BigInt,
        subject -> Text,
        #[sql_name = "at_us"]
        at -> BigInt,
    }
}

diesel::table! {
    plan (name) {
        name -> Text,
        tier -> BigInt,
        uploads_max -> BigInt,
        archive_max_bytes -> BigInt,
        builds_per_month -> BigInt,
        requests_per_minute -> BigInt,
        devices_max -> BigInt,
        retention_days -> BigInt,
    }
}

diesel::table! {
    build_usage (organization, month) {
        organization -> Text,
        month -> Text,
        builds -> BigInt,
    }
}
