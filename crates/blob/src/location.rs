//! This file's job is to read where a store is from its URL.

use crate::error::Error;
use std::path::PathBuf;
use std::str::FromStr;
use url::Url;

/// What AWS itself falls back to, and what other services ignore.
const DEFAULT_REGION: &str = "us-east-1";

/// Where a store is: a folder (`/path`, `./path`, `file:///path`) or a bucket
/// (`s3://bucket[/prefix][?endpoint=https://host&region=name]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder on a local or mounted disk.
    Disk(PathBuf),
    /// A bucket of an S3 service.
    S3(BucketLocation),
}

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLocation {
    /// The bucket's name.
    pub name: String,
    /// What every key begins with: empty, or ends with `/`.
    pub prefix: String,
    /// The service's address; none for AWS itself.
    pub endpoint: Option<Url>,
    /// The region that requests are signed for.
    pub region: String,
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once("://") {
            None if text.is_empty() => Err(wrong(text, "is empty")),
            None => Ok(Self::Disk(PathBuf::from(text))),
            Some(("file", _)) => parse_file(text),
            Some(("s3", _)) => parse_s3(text),
            Some(_) => Err(wrong(text, "must be a path, file:///path or s3://bucket")),
        }
    }
}

fn wrong(location: &str, rule: &'static str) -> Error {
    Error::Location { location: location.to_owned(), rule }
}

fn parse_file(text: &str) -> Result<Location, Error> {
    let url = Url::parse(text).map_err(|_| wrong(text, "is not a URL"))?;
    let path = url.to_file_path().map_err(|()| wrong(text, "must have an absolute path and no host"))?;
    Ok(Location::Disk(path))
}

fn parse_s3(text: &str) -> Result<Location, Error> {
    let url = Url::parse(text).map_err(|_| wrong(text, "is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("s3://…", "must not hold credentials; they have their own settings"));
    }
    let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong(text, "names no bucket"))?;
    let (mut endpoint, mut region) = (None, DEFAULT_REGION.to_owned());
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "endpoint" => endpoint = Some(parse_endpoint(text, &value)?),
            "region" => region = value.into_owned(),
            _ => return Err(wrong(text, "knows only the parameters endpoint and region")),
        }
    }
    let prefix = url.path().trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Location::S3(BucketLocation { name: bucket.to_owned(), prefix, endpoint, region }))
}

fn parse_endpoint(text: &str, value: &str) -> Result<Url, Error> {
    let endpoint = Url::parse(value).map_err(|_| wrong(text, "has an endpoint that is not a URL"))?;
    if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
        return Err(wrong(text, "has an endpoint that is not http:// or https://"));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_told_apart() {
        assert_eq!("/data/store".parse::<Location>().unwrap(), Location::Disk("/data/store".into()));
        assert_eq!("data".parse::<Location>().unwrap(), Location::Disk("data".into()));
        assert_eq!("file:///data/a%20b".parse::<Location>().unwrap(), Location::Disk("/data/a b".into()));
        let bucket = "s3://releases/eu/?endpoint=http://127.0.0.1:9000&region=eu-1".parse::<Location>().unwrap();
        assert_eq!(
            bucket,
            Location::S3(BucketLocation {
                name: "releases".into(),
                prefix: "eu/".into(),
                endpoint: Some(Url::parse("http://127.0.0.1:9000").unwrap()),
                region: "eu-1".into(),
            })
        );
    }

    #[test]
    fn mistakes_are_named() {
        for bad in
            ["", "ftp://x/y", "s3://", "s3://b?endpoint=nonsense", "s3://b?colour=red", "file://host/x", "s3://k:s@b"]
        {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
        let message = "s3://key:secret@bucket".parse::<Location>().unwrap_err().to_string();
        assert!(!message.contains("secret@"), "{message}");
    }
}
