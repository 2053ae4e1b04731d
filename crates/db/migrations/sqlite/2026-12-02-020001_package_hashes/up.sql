-- What devices say they have is looked up when they miss a diff from it.
CREATE INDEX package_by_hash ON package (package_hash);
