//! This file's job is to describe the tables of what devices report to Diesel.

diesel::table! {
    event (app, id) {
        app -> Text,
        id -> Text,
        channel -> Text,
        device -> Text,
        kind -> Text,
        platform -> Text,
        binary_version -> Nullable<Text>,
        release -> Nullable<Text>,
        bundle -> Nullable<Binary>,
        detail -> Nullable<Text>,
        edge -> Text,
        #[sql_name = "received_at_us"]
        received_at -> BigInt,
    }
}

diesel::table! {
    event_batch (edge, segment, batch_offset) {
        edge -> Text,
        segment -> Text,
        batch_offset -> BigInt,
        #[sql_name = "stored_at_us"]
        stored_at -> BigInt,
    }
}

diesel::table! {
    tally (app, release, bundle, channel, measure) {
        app -> Text,
        release -> Text,
        bundle -> Binary,
        channel -> Text,
        measure -> Text,
        times -> BigInt,
        bytes -> BigInt,
    }
}

diesel::table! {
    edge_ledger (edge, ledger) {
        edge -> Text,
        ledger -> BigInt,
        sequence -> BigInt,
        other_times -> BigInt,
    }
}
