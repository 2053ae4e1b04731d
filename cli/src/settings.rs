//! This file's job is to keep the server and the credential between runs.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Used when neither a flag, the environment nor the file names a server.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8070";

/// What `aloft login` stores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's URL, `http://` or `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The API key, `cp_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The token of a person's session, `as_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Returns where the settings are kept: `$XDG_CONFIG_HOME/aloft/config.toml`, or `~/.config/aloft/config.toml`.
pub fn path(environment: impl Fn(&str) -> Option<String>) -> Result<PathBuf, Error> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let folder = folder.ok_or_else(|| {
        Error::Usage("neither XDG_CONFIG_HOME nor HOME is set; set ALOFT_SERVER and ALOFT_API_KEY instead".to_owned())
    })?;
    Ok(folder.join("aloft").join("config.toml"))
}

impl Settings {
    /// Returns what goes with calls.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.api_key.as_deref().or(self.session.as_deref())
    }

    /// Reads the file; no file means nothing is set.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::file(path, source)),
        };
        toml::from_str(&text)
            .map_err(|cause| Error::Settings { path: path.to_owned(), cause: cause.message().to_owned() })
    }

    /// Writes the file so that only its owner can read it; a crash leaves the old or the new file, never half of one.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let text = toml::to_string(self)
            .map_err(|cause| Error::Settings { path: path.to_owned(), cause: cause.to_string() })?;
        let fail = |source| Error::file(path, source);
        std::fs::create_dir_all(folder).map_err(fail)?;
        // A temporary file is made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist(path).map_err(|failure| fail(failure.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Settings {
        Settings { server: Some("https://aloft.example".into()), api_key: Some("cp_live_0_0".into()), session: None }
    }

    #[test]
    fn settings_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aloft/config.toml");
        assert_eq!(Settings::read(&path).unwrap(), Settings::default());
        sample().write(&path).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), sample());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        sample().write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_an_unknown_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "sever = \"typo\"").unwrap();
        assert!(matches!(Settings::read(&path), Err(Error::Settings { .. })));
    }

    #[test]
    fn the_place_follows_the_environment() {
        let environment = |name: &str| (name == "HOME").then(|| "/home/pat".to_owned());
        assert_eq!(path(environment).unwrap(), Path::new("/home/pat/.config/aloft/config.toml"));
        assert_eq!(path(|_| Some("/x".to_owned())).unwrap(), Path::new("/x/aloft/config.toml"));
        assert!(path(|_| None).is_err());
    }
}
