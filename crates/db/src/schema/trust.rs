//! This file's job is to describe the tables of trusted publishers, of apps' secrets, and of offers of apps to Diesel.

diesel::table! {
    publisher (id) {
        id -> Text,
        app -> Text,
        channel -> Text,
        issuer -> Text,
        repository -> Text,
        repository_id -> Text,
        owner_id -> Text,
        workflow -> Text,
        environment -> Nullable<Text>,
        reference -> Nullable<Text>,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    used_token (token_hash) {
        token_hash -> Binary,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
    }
}

diesel::table! {
    credential (id) {
        id -> Text,
        app -> Text,
        kind -> Text,
        name -> Text,
        sealed_secret -> Binary,
        master_key -> Text,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "replaced_at_us"]
        replaced_at -> BigInt,
    }
}

diesel::table! {
    app_offer (app) {
        app -> Text,
        target -> Text,
        offered_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
    }
}
