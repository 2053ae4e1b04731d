//! This file's job is to describe the tables of jobs to Diesel.

diesel::table! {
    job (tier, id) {
        tier -> BigInt,
        id -> Text,
        tenant -> Text,
        app -> Nullable<Text>,
        kind -> Text,
        subject -> Text,
        payload -> Text,
        state -> Text,
        vstart -> BigInt,
        cost -> BigInt,
        #[sql_name = "run_at_us"]
        run_at -> BigInt,
        attempt -> BigInt,
        max_attempts -> BigInt,
        fence -> BigInt,
        worker -> Nullable<Text>,
        #[sql_name = "lease_until_us"]
        lease_until -> Nullable<BigInt>,
        #[sql_name = "deadline_at_us"]
        deadline_at -> Nullable<BigInt>,
        unique_key -> Text,
        #[sql_name = "enqueued_at_us"]
        enqueued_at -> BigInt,
        #[sql_name = "first_started_at_us"]
        first_started_at -> Nullable<BigInt>,
        lane -> Text,
        #[sql_name = "due_at_us"]
        due_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    job_turn (tier, lane, tenant) {
        tier -> BigInt,
        tenant -> Text,
        lane -> Text,
        last_vfinish -> BigInt,
    }
}

diesel::table! {
    job_flow (tier, tenant) {
        tier -> BigInt,
        tenant -> Text,
        weight -> BigInt,
        max_running -> Nullable<BigInt>,
    }
}

diesel::table! {
    job_attempt (job, fence) {
        job -> Text,
        fence -> BigInt,
        n -> BigInt,
        worker -> Text,
        #[sql_name = "started_at_us"]
        started_at -> BigInt,
        #[sql_name = "ended_at_us"]
        ended_at -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    job_dead (id) {
        id -> Text,
        tier -> BigInt,
        tenant -> Text,
        app -> Nullable<Text>,
        kind -> Text,
        subject -> Text,
        payload -> Text,
        cost -> BigInt,
        reason -> Text,
        error -> Text,
        attempts -> BigInt,
        #[sql_name = "enqueued_at_us"]
        enqueued_at -> BigInt,
        #[sql_name = "died_at_us"]
        died_at -> BigInt,
        resolution -> Nullable<Text>,
        resolution_reason -> Nullable<Text>,
        resolved_by -> Nullable<Text>,
        #[sql_name = "resolved_at_us"]
        resolved_at -> Nullable<BigInt>,
        retried_as -> Nullable<Text>,
        #[sql_name = "noticed_at_us"]
        noticed_at -> Nullable<BigInt>,
    }
}
