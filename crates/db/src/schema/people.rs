//! This file's job is to describe the tables of signed-in people and of mails to Diesel.

diesel::table! {
    session (id) {
        id -> Text,
        account -> Text,
        token_hash -> Binary,
        kind -> Text,
        organization -> Nullable<Text>,
        client -> Text,
        address -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "refreshed_at_us"]
        refreshed_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
    }
}

diesel::table! {
    mail (id) {
        id -> Text,
        kind -> Text,
        address -> Text,
        account -> Nullable<Text>,
        token_hash -> Nullable<Binary>,
        detail -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
        #[sql_name = "sent_at_us"]
        sent_at -> Nullable<BigInt>,
        #[sql_name = "used_at_us"]
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    invitation (id) {
        id -> Text,
        organization -> Text,
        email -> Text,
        role -> Text,
        invited_by -> Text,
        mail -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
    }
}

diesel::table! {
    login (device_code_hash) {
        device_code_hash -> Binary,
        user_code_hash -> Binary,
        client -> Text,
        address -> Text,
        state -> Text,
        account -> Nullable<Text>,
        organization -> Nullable<Text>,
        interval_s -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
        #[sql_name = "polled_at_us"]
        polled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    second_factor (account) {
        account -> Text,
        sealed_secret -> Binary,
        master_key -> Text,
        last_step -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "confirmed_at_us"]
        confirmed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    recovery_code (account, code_hash) {
        account -> Text,
        code_hash -> Binary,
    }
}

diesel::table! {
    identity (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        account -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}
