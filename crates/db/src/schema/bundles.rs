//! This file's job is to describe the tables of uploads and the content they became to Diesel.

diesel::table! {
    blob (organization, sha256) {
        organization -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        chunks -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
        #[sql_name = "used_at_us"]
        used_at -> BigInt,
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
        warnings -> Text,
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
    bundle_build (bundle) {
        bundle -> Text,
        compiler -> Text,
        flags -> Text,
        base_sha256 -> Nullable<Binary>,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    bundle_contents (bundle) {
        bundle -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        module_count -> BigInt,
        function_count -> Nullable<BigInt>,
        image_count -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    bundle_source_map (bundle) {
        bundle -> Text,
        path -> Text,
        sha256 -> Binary,
        size_bytes -> BigInt,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
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
    variant (organization, sha256, coding) {
        organization -> Text,
        sha256 -> Binary,
        coding -> Text,
        effort -> Text,
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
        stage -> Nullable<Text>,
        archive_format -> Text,
        archive_sha256 -> Binary,
        archive_size_bytes -> BigInt,
        received_bytes -> BigInt,
        parts -> Text,
        known_files -> Text,
        bundle -> Nullable<Text>,
        failure_reason -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        warnings -> Text,
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
