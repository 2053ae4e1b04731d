//! This file's job is to find apps and channels by the names that CodePush's clients use.

use super::services::Services;
use domain::codepush::short_name;
use proto::v1;
use tonic::Status;

/// Deployments that every app of a CodePush server has, as they are written there.
pub(super) const FIRST_DEPLOYMENTS: [&str; 2] = ["Production", "Staging"];

/// Returns the short name of an app that a request names. Clients may write its owner before a colon, and `~~` for a slash.
fn short_of_app(name: &str) -> String {
    let own = name.rsplit_once(':').map_or(name, |(_owner, own)| own);
    short_name(&own.replace("~~", "/"))
}

/// Finds an app.
pub(super) async fn app(services: &Services, name: &str) -> Result<v1::App, Status> {
    let request = v1::GetAppRequest { name: format!("apps/{}", short_of_app(name)) };
    Ok(services.apps().get_app(request).await?.into_inner().app.unwrap_or_default())
}

/// Finds a channel.
pub(super) async fn channel(services: &Services, app: &str, deployment: &str) -> Result<v1::Channel, Status> {
    let request = v1::GetChannelRequest { name: channel_name(&format!("apps/{}", short_of_app(app)), deployment) };
    Ok(services.channels().get_channel(request).await?.into_inner().channel.unwrap_or_default())
}

/// Returns the name of a deployment's channel.
pub(super) fn channel_name(app: &str, deployment: &str) -> String {
    format!("{app}/channels/{}", short_name(deployment))
}

/// Returns an app's name as clients see it: the one that it was made with here, else its short name.
pub(super) fn of_app(app: &v1::App) -> &str {
    if short_name(&app.display_name) == app.slug { &app.display_name } else { &app.slug }
}

/// Returns a channel's name as clients see it.
pub(super) fn of_channel(channel: &v1::Channel) -> &str {
    let first = FIRST_DEPLOYMENTS.iter().find(|first| short_name(first) == channel.channel_name);
    first.copied().unwrap_or(&channel.channel_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_codepush_become_short_names() {
        for (name, expected) in [
            ("Trailhead-iOS", "trailhead-ios"),
            ("owner@example.com:Trailhead", "trailhead"),
            ("Acme~~Trail head", "acme-trail-head"),
            ("é", ""),
            ("", ""),
        ] {
            assert_eq!(short_of_app(name), expected, "{name}");
        }
    }

    #[test]
    fn an_app_keeps_the_name_that_it_was_made_with() {
        let app = |slug: &str, display: &str| v1::App {
            slug: slug.into(),
            display_name: display.into(),
            ..v1::App::default()
        };
        assert_eq!(of_app(&app("trailhead-ios", "Trailhead-iOS")), "Trailhead-iOS");
        assert_eq!(of_app(&app("trailhead", "The best of all trails")), "trailhead");
        let channel = |name: &str| v1::Channel { channel_name: name.into(), ..v1::Channel::default() };
        assert_eq!(of_channel(&channel("production")), "Production");
        assert_eq!(of_channel(&channel("beta")), "beta");
    }
}
