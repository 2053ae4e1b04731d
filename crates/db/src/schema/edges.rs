//! This file's job is to describe the tables of edges and the devices they registered to Diesel.

diesel::table! {
    edge (id) {
        id -> Text,
        name -> Text,
        token_hash -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "last_seen_at_us"]
        last_seen_at -> BigInt,
    }
}

diesel::table! {
    device (app, id) {
        app -> Text,
        id -> Text,
        platform -> Text,
        facts -> Text,
        edge -> Text,
        #[sql_name = "registered_at_us"]
        registered_at -> BigInt,
    }
}

diesel::table! {
    device_count (app) {
        app -> Text,
        devices -> BigInt,
    }
}

diesel::table! {
    edge_channel (channel, edge) {
        channel -> Text,
        edge -> Text,
        acked_epoch -> BigInt,
        acked_version -> BigInt,
        refused_epoch -> BigInt,
        refused_version -> BigInt,
        refused_reason -> Text,
        ready_epoch -> BigInt,
        ready_version -> BigInt,
    }
}

diesel::joinable!(edge_channel -> edge (edge));
