//! This file's job is to answer clients of Expo Updates, protocols 1 and 0, below `/v1/expo/`.
//!
//! Bodies were frozen when a release was published; here they are only chosen, with [`domain::decide`], and framed.

pub(crate) mod accept;
mod answer;
pub(crate) mod asked;
mod choice;
mod files;
pub(crate) mod frozen;
pub(crate) mod reports;

use crate::admission::{Client, DeviceClass};
use crate::body::Body;
use crate::refusal::Refusal;
use crate::snapshot::Channel;
use crate::state::State;
use asked::Asked;
use domain::expo::{ASSETS, PATH};
use http::{Request, Response};

/// What a path below [`PATH`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// What is new.
    Manifest { app: &'a str, channel: Option<&'a str> },
    /// A launch file, or a patch that makes it.
    Launch { app: &'a str, channel: &'a str, file: &'a str },
    /// Any other file.
    Asset { file: &'a str },
}

impl<'a> Place<'a> {
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.strip_prefix(PATH)?.split('/');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (ASSETS, Some(file), None, None) => Some(Self::Asset { file }),
            (app, channel, None, None) => Some(Self::Manifest { app, channel }),
            (app, Some(channel), Some(file), None) => Some(Self::Launch { app, channel, file }),
            (_, _, Some(_), Some(_)) | (_, None, Some(_), _) | (_, _, None, Some(_)) => None,
        }
    }
}

/// Answers what needs nothing but memory: most checks. `None` for everything else: see [`handle_later`].
pub(crate) fn handle<B>(state: &State, request: &Request<B>) -> Option<Result<Response<Body>, Refusal>> {
    let Some(place) = Place::of(request.uri().path()) else { return Some(Err(nothing_here())) };
    let Place::Manifest { app, channel } = place else { return None };
    let asked = match Asked::read(request, app, channel) {
        Ok(asked) => asked,
        Err(refusal) => return Some(Ok(answer::refused(refusal))),
    };
    let channel = state.channels.get(&asked.key)?;
    // Reports go to the disk.
    let has_news = state.reported.has_news(&channel, &asked);
    (!has_news).then(|| Ok(answer_from(state, &channel, &asked, admit(state, &channel, &asked))))
}

/// Answers from the disk, and for channels that must be asked for first.
pub(crate) async fn handle_later<B>(state: &State, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    match Place::of(request.uri().path()).ok_or_else(nothing_here)? {
        Place::Asset { file } => files::asset(state, file, request).await,
        Place::Launch { app, channel, file } => files::launch(state, (app, channel), file, request).await,
        Place::Manifest { app, channel } => {
            let found = match Asked::read(request, app, channel) {
                Ok(asked) => state.channel(&asked.key).await.map(|channel| (asked, channel)),
                Err(refusal) => Err(refusal),
            };
            let (asked, channel) = match found {
                Ok(found) => found,
                Err(refusal) => return Ok(answer::refused(refusal)),
            };
            // Before anything goes to the disk.
            let admitted = admit(state, &channel, &asked);
            if admitted.is_ok() {
                state.reported.keep(&state.spool, &channel, &asked, state.clock.now()).await;
            }
            Ok(answer_from(state, &channel, &asked, admitted))
        }
    }
}

/// Takes the request in, unless its device is revoked or too many came.
fn admit(state: &State, channel: &Channel, asked: &Asked) -> Result<(), Refusal> {
    asked.device.map_or(Ok(()), |device| channel.check_revoked(device.id().as_str()))?;
    state.admit(channel, DeviceClass { client: Client::Expo, platform: asked.platform })
}

fn answer_from(state: &State, channel: &Channel, asked: &Asked, admitted: Result<(), Refusal>) -> Response<Body> {
    let respond = |()| {
        let (told, word) = choice::choose(channel, asked);
        channel.told.count(&state.counts, &channel.snapshot, word, 0);
        answer::respond(state, channel, asked, &told)
    };
    admitted.and_then(respond).unwrap_or_else(answer::refused)
}

const fn nothing_here() -> Refusal {
    Refusal::not_found("path-unknown", "there is nothing at this path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_their_parts() {
        let manifest = |app, channel| Some(Place::Manifest { app, channel });
        assert_eq!(Place::of("/v1/expo/app_1"), manifest("app_1", None));
        assert_eq!(Place::of("/v1/expo/app_1/qa"), manifest("app_1", Some("qa")));
        assert_eq!(
            Place::of("/v1/expo/app_1/qa/00.bundle"),
            Some(Place::Launch { app: "app_1", channel: "qa", file: "00.bundle" })
        );
        assert_eq!(Place::of("/v1/expo/assets/00.png"), Some(Place::Asset { file: "00.png" }));
        assert_eq!(Place::of("/v1/expo/app_1/qa/00.bundle/x"), None);
        assert_eq!(Place::of("/v1/exp"), None);
    }
}
