//! This file's job is to describe the tables of apps, their channels and the binaries devices run to Diesel.

diesel::table! {
    app (id) {
        id -> Text,
        organization -> Text,
        slug -> Text,
        name -> Text,
        revision -> BigInt,
        expo_committed_at_ms -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}

diesel::table! {
    app_token_key (app, generation) {
        app -> Text,
        generation -> BigInt,
        secret -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    channel (id) {
        id -> Text,
        app -> Text,
        name -> Text,
        revision -> BigInt,
        snapshot_version -> BigInt,
        next_seq -> BigInt,
        blocked -> Bool,
        environment -> Text,
        bundle_policy -> Text,
        expo_server_defined_headers -> Nullable<Text>,
        expo_asset_request_headers -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}

diesel::table! {
    binary_build (id) {
        id -> Text,
        app -> Text,
        platform -> Text,
        version -> Text,
        build_number -> Text,
        runtime_version -> Nullable<Text>,
        embedded_bundle_hash -> Nullable<Binary>,
        hermes_version -> Nullable<BigInt>,
        embedded_update -> Nullable<Text>,
        revision -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}
