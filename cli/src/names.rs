//! This file's job is to build the resource names of requests from what people write.

use crate::error::Error;

/// Accepts a slug, an id or a full `apps/…` name, and returns the full name.
pub fn app(app: &str) -> Result<String, Error> {
    let short = app.strip_prefix("apps/").unwrap_or(app);
    Ok(format!("apps/{}", segment("--app", short)?))
}

/// Returns the full name of a channel of the app. A full channel name is taken as it is.
pub fn channel(app_name: &str, channel: &str) -> Result<String, Error> {
    let short = last_of(channel, "/channels/");
    Ok(format!("{}/channels/{}", app(app_name)?, segment("--channel", short)?))
}

/// Returns the full name of a release: a label such as `v3`, an id, or a full name of this channel.
pub fn release(channel_name: &str, release: &str) -> Result<String, Error> {
    let short = last_of(release, "/releases/");
    Ok(format!("{channel_name}/releases/{}", segment("release", short)?))
}

/// Returns the full name of a binary: an id, or a full name.
pub fn binary(app_name: &str, binary: &str) -> Result<String, Error> {
    Ok(format!("{}/binaries/{}", app(app_name)?, segment("binary", last_of(binary, "/binaries/"))?))
}

/// Returns the full name of a bundle: an id, or a full name.
pub fn bundle(app_name: &str, bundle: &str) -> Result<String, Error> {
    Ok(format!("{}/bundles/{}", app(app_name)?, segment("--bundle", last_of(bundle, "/bundles/"))?))
}

/// Returns the full name of a trusted publisher: an id, or a full name.
pub fn publisher(app_name: &str, publisher: &str) -> Result<String, Error> {
    Ok(format!("{}/publishers/{}", app(app_name)?, segment("publisher", last_of(publisher, "/publishers/"))?))
}

/// Returns the full name of a credential: an id, or a full name.
pub fn credential(app_name: &str, credential: &str) -> Result<String, Error> {
    Ok(format!("{}/credentials/{}", app(app_name)?, segment("credential", last_of(credential, "/credentials/"))?))
}

/// Returns the full name of an API key: an id, or a full name.
pub fn key(key: &str) -> Result<String, Error> {
    Ok(format!("keys/{}", segment("key", key.strip_prefix("keys/").unwrap_or(key))?))
}

/// Returns the full name of a webhook: an id, or a full name.
pub fn webhook(webhook: &str) -> Result<String, Error> {
    Ok(format!("webhooks/{}", segment("webhook", webhook.strip_prefix("webhooks/").unwrap_or(webhook))?))
}

/// Returns the full name of a delivery to a webhook: an id, or a full name.
pub fn delivery(webhook_name: &str, delivery: &str) -> Result<String, Error> {
    let short = last_of(delivery, "/deliveries/");
    Ok(format!("{}/deliveries/{}", webhook(webhook_name)?, segment("delivery", short)?))
}

/// Returns the full name of an organization: an id, or a full name.
pub fn organization(organization: &str) -> Result<String, Error> {
    let short = organization.strip_prefix("organizations/").unwrap_or(organization);
    Ok(format!("organizations/{}", segment("organization", short)?))
}

/// Returns the last part of a full name.
#[must_use]
pub fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn last_of<'a>(text: &'a str, marker: &str) -> &'a str {
    text.rsplit_once(marker).map_or(text, |(_, last)| last)
}

fn segment<'a>(what: &str, text: &'a str) -> Result<&'a str, Error> {
    if text.is_empty() || text.contains('/') {
        return Err(Error::Usage(format!(
            "{what}: {text:?} is not a name; write a short name, an id or a full resource name"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_full_names_lead_to_the_same_resource() {
        assert_eq!(app("trailhead").unwrap(), "apps/trailhead");
        assert_eq!(app("apps/trailhead").unwrap(), "apps/trailhead");
        let channel_name = channel("trailhead", "production").unwrap();
        assert_eq!(channel_name, "apps/trailhead/channels/production");
        assert_eq!(channel("trailhead", "apps/x/channels/production").unwrap(), channel_name);
        assert_eq!(release(&channel_name, "v3").unwrap(), "apps/trailhead/channels/production/releases/v3");
        assert_eq!(short("apps/a/bundles/bun_1"), "bun_1");
    }

    #[test]
    fn names_that_would_change_the_path_are_refused() {
        assert!(app("a/b").is_err());
        assert!(app("").is_err());
        assert!(channel("a", "b/c").is_err());
    }
}
