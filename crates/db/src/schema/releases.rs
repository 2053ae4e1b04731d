//! This file's job is to describe the tables of releases and who gets them to Diesel.

diesel::table! {
    release (id) {
        id -> Text,
        app -> Text,
        channel -> Text,
        seq -> BigInt,
        platform -> Text,
        bundle -> Nullable<Text>,
        target_kind -> Text,
        target_value -> Text,
        mandatory -> Bool,
        enabled -> Bool,
        notes -> Text,
        warnings -> Text,
        rollout_state -> Text,
        rollout_ppm -> BigInt,
        rollout_salt -> Text,
        rollout_retreat -> Text,
        origin -> Text,
        origin_release -> Nullable<Text>,
        revision -> BigInt,
        snapshot_version -> BigInt,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}

diesel::table! {
    expo_update (release) {
        release -> Text,
        app -> Text,
        committed_at_ms -> BigInt,
        body -> Text,
        signature -> Text,
        certificate_chain -> Text,
    }
}

diesel::table! {
    device_revocation (app, device) {
        app -> Text,
        device -> Text,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    device_pin (channel, device_key) {
        channel -> Text,
        device_key -> Text,
        release -> Text,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}
