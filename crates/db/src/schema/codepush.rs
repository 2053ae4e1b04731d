//! This file's job is to describe the tables of what CodePush's clients get to Diesel.

diesel::table! {
    deployment_key (key) {
        key -> Text,
        channel -> Text,
        platform -> Text,
        created_by -> Text,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    package (bundle) {
        bundle -> Text,
        package_hash -> Binary,
        blob_sha256 -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}

diesel::table! {
    package_diff (to_bundle, from_package_hash) {
        to_bundle -> Text,
        from_package_hash -> Binary,
        blob_sha256 -> Binary,
        #[sql_name = "created_at_us"]
        created_at -> BigInt,
    }
}
