-- Who needs a blob is asked for by its hash.
CREATE INDEX package_by_blob ON package (blob_sha256);
CREATE INDEX package_diff_by_blob ON package_diff (blob_sha256);
