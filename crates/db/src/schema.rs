//! This file's job is to describe the tables to Diesel; `migrations/` creates them on both databases.

diesel::table! {
    meta (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    organization (id) {
        id -> Text,
        slug -> Text,
        name -> Text,
        tier -> BigInt,
        suspended -> Bool,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    account (id) {
        id -> Text,
        email -> Text,
        name -> Text,
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
    app (id) {
        id -> Text,
        organization -> Text,
        slug -> Text,
        name -> Text,
        revision -> BigInt,
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
        revision -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
    }
}

diesel::table! {
    blob (organization, sha256) {
        organization -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        chunks -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    bundle (id) {
        id -> Text,
        app -> Text,
        platform -> Text,
        content_hash -> Binary,
        engine -> Text,
        hermes_version -> Nullable<BigInt>,
        launch_path -> Text,
        file_count -> BigInt,
        total_size_bytes -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    bundle_file (bundle, path) {
        bundle -> Text,
        path -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    delta (to_bundle, from_bundle, format) {
        from_bundle -> Text,
        to_bundle -> Text,
        format -> Text,
        base_sha256 -> Binary,
        blob_sha256 -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    upload (id) {
        id -> Text,
        app -> Text,
        platform -> Text,
        state -> Text,
        archive_format -> Text,
        archive_sha256 -> Binary,
        archive_size_bytes -> BigInt,
        received_bytes -> BigInt,
        parts -> Text,
        known_files -> Text,
        bundle -> Nullable<Text>,
        failure_reason -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        request_id -> Nullable<Text>,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
        #[sql_name = "expires_at_us"]
        expires_at -> BigInt,
    }
}

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
        rollout_state -> Text,
        rollout_ppm -> BigInt,
        rollout_salt -> Text,
        rollout_retreat -> Text,
        origin -> Text,
        origin_release -> Nullable<Text>,
        revision -> BigInt,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "updated_at_us"]
        updated_at -> BigInt,
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
    }
}

diesel::table! {
    job_flow (tier, tenant) {
        tier -> BigInt,
        tenant -> Text,
        last_vfinish -> BigInt,
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
    }
}

diesel::joinable!(upload -> app (app));
diesel::joinable!(bundle_file -> bundle (bundle));
diesel::joinable!(channel -> app (app));

diesel::allow_tables_to_appear_in_same_query!(
    meta,
    organization,
    account,
    member,
    api_key,
    app,
    app_token_key,
    channel,
    binary_build,
    blob,
    bundle,
    bundle_file,
    delta,
    upload,
    release,
    device_pin,
    edge,
    device,
    event,
    event_batch,
    audit,
    idempotency,
    outbox,
    job,
    job_flow,
    job_attempt,
    job_dead,
);
