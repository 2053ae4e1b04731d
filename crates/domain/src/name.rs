//! This file's job is to define the names that people choose and the platforms that exist.

use crate::error::Invalid;
use crate::text_enum::text_enum;

text_enum! {
    /// What a bundle runs on.
    pub enum Platform {
        /// Android devices.
        Android => "android",
        /// iPhones and iPads.
        Ios => "ios",
    }
}

/// Long enough for a sentence-like name, short enough for every index and header.
pub const NAME_MAX_BYTES: usize = 64;

fn is_slug(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= NAME_MAX_BYTES
        && text.bytes().all(inner)
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
}

macro_rules! slugs {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Returns the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_slug(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Invalid::new(
                        stringify!($name),
                        "must be 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit",
                    ))
                }
            }
        }
    )+};
}

slugs! {
    /// The short name of an app, unique in its organization.
    AppSlug,
    /// The name of a channel, unique in its app.
    ChannelName,
    /// The short name of an organization.
    OrganizationSlug,
}

/// Groups of letters that are easily taken for others, and what stands for them; in this order.
const ALIKE: [(&str, &str); 8] =
    [("-", ""), ("_", ""), (".", ""), ("0", "o"), ("1", "l"), ("i", "l"), ("rn", "m"), ("vv", "w")];

impl OrganizationSlug {
    /// Returns the form that all names have in common which people take for this one. Two organizations never share it.
    #[must_use]
    pub fn skeleton(&self) -> String {
        ALIKE.iter().fold(self.0.to_string(), |text, (seen, meant)| text.replace(seen, meant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let skeleton = |text: &str| text.parse::<OrganizationSlug>().unwrap().skeleton();
        for alike in ["micro-soft", "micr0s0ft", "rnicrosoft", "mlcro.soft", "m1crosoft"] {
            assert_eq!(skeleton(alike), skeleton("microsoft"), "{alike}");
        }
        assert_ne!(skeleton("acme"), skeleton("acne"));
    }

    #[test]
    fn slugs_refuse_what_a_url_or_a_shell_would_change() {
        for good in ["production", "a", "pr-12.3_x"] {
            assert!(good.parse::<ChannelName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "a/b", "ü", "..", &"a".repeat(65)] {
            assert!(bad.parse::<ChannelName>().is_err(), "{bad}");
        }
    }
}
