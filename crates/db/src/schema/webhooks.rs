//! This file's job is to describe the tables of webhooks to Diesel.

diesel::table! {
    webhook (id) {
        id -> Text,
        organization -> Text,
        app -> Nullable<Text>,
        url -> Text,
        events -> Text,
        enabled -> Bool,
        sealed_secret -> Binary,
        master_key -> Text,
        previous_secret -> Nullable<Binary>,
        previous_master_key -> Nullable<Text>,
        #[sql_name = "previous_until_us"]
        previous_until -> Nullable<BigInt>,
        revision -> BigInt,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}

diesel::table! {
    webhook_delivery (id) {
        id -> Text,
        webhook -> Nullable<Text>,
        tenant -> Text,
        message -> Text,
        event -> Text,
        body -> Text,
        state -> Text,
        tries -> BigInt,
        #[sql_name = "next_try_at_us"]
        next_try_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "finished_at_us"]
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_try (delivery, number) {
        delivery -> Text,
        number -> BigInt,
        #[sql_name = "at_us"]
        at -> BigInt,
        duration_ms -> BigInt,
        status -> Nullable<BigInt>,
        error -> Nullable<Text>,
    }
}
