//! This file's job is to find the file that is run, and to say what it holds.

use crate::detect::Open;
use crate::error::Refusal;
use crate::hermes::HermesHeader;
use domain::Platform;
use domain::bundle::Engine;
use domain::warning::{Warning, WarningKind};

/// Enough for every header, and for the globals that Metro writes first.
pub(crate) const START_MAX_BYTES: usize = 64 * 1024;

/// The names that build tools and the clients of this field use.
const ANDROID_NAMES: [&str; 2] = ["index.android.bundle", "index.android.jsbundle"];
const IOS_NAMES: [&str; 4] = ["main.jsbundle", "index.ios.bundle", "index.ios.jsbundle", "main.ios.jsbundle"];
const EXTENSIONS: [&str; 3] = [".bundle", ".jsbundle", ".hbc"];
/// Metro's format of single modules, which no device takes over the air.
const RAM_BUNDLE_MAGIC: [u8; 4] = 0xfb0b_d1e5_u32.to_le_bytes();

/// What a launch file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) engine: Engine,
    pub(crate) hermes_version: Option<u32>,
    pub(crate) warnings: Vec<Warning>,
}

/// Returns the path of the launch file among the paths.
pub(crate) fn find<'a>(paths: &[&'a str], platform: Platform) -> Result<&'a str, Refusal> {
    let named =
        |ends: &dyn Fn(&str) -> bool| -> Vec<&'a str> { paths.iter().copied().filter(|path| ends(path)).collect() };
    let mut candidates = named(&|path| EXTENSIONS.iter().any(|extension| path.ends_with(extension)));
    if candidates.is_empty() {
        candidates = named(&|path| path.ends_with(".js"));
    }
    let own: Vec<&str> = candidates.iter().copied().filter(|path| names(platform).contains(&name(path))).collect();
    let foreign = candidates.iter().copied().find(|path| names(other(platform)).contains(&name(path)));
    match (own.as_slice(), candidates.as_slice(), foreign) {
        ([launch], _, None) | ([], [launch], None) => Ok(launch),
        ([], _, Some(entry)) => {
            Err(Refusal::OtherPlatform { entry: entry.to_owned(), found: other(platform), wanted: platform })
        }
        ([], [], None) => Err(Refusal::NoLaunchFile(none_found(paths, platform))),
        _ => Err(Refusal::SeveralLaunchFiles(candidates.iter().map(|&path| path.to_owned()).collect())),
    }
}

fn names(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::Android => &ANDROID_NAMES,
        Platform::Ios => &IOS_NAMES,
    }
}

const fn other(platform: Platform) -> Platform {
    match platform {
        Platform::Android => Platform::Ios,
        Platform::Ios => Platform::Android,
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn none_found(paths: &[&str], platform: Platform) -> String {
    if paths.is_empty() {
        return "there are no files, or only source maps and system files".to_owned();
    }
    let wanted = names(platform)[0];
    format!("none of {} files is named {wanted} or ends with .bundle, .jsbundle or .hbc", paths.len())
}

/// Looks into the launch file.
pub(crate) fn inspect(path: &str, size_bytes: u64, open: &mut Open<'_>) -> Result<Content, crate::Error> {
    let start = open(path, START_MAX_BYTES).map_err(crate::Error::Sink)?;
    let wrong = |why: &str| -> Result<Content, crate::Error> {
        Err(Refusal::Content { entry: path.to_owned(), why: why.to_owned() }.into())
    };
    if start.is_empty() {
        return wrong("the launch file is empty");
    }
    if HermesHeader::is_hermes(&start) {
        return inspect_hermes(path, size_bytes, &start);
    }
    if start.starts_with(&RAM_BUNDLE_MAGIC) {
        return wrong("it is a RAM bundle; build a plain bundle or Hermes bytecode");
    }
    if path.ends_with(".hbc") || start.contains(&0) {
        return wrong("it is neither JavaScript nor Hermes bytecode");
    }
    let text = String::from_utf8_lossy(&start);
    if text.trim_start().starts_with('<') {
        return wrong("it is an HTML page, perhaps an error of the development server");
    }
    if text.trim_start().starts_with(r#"{"version":3"#) {
        return wrong("it is a source map");
    }
    let is_debug = text.contains("__DEV__=true") || text.contains("__DEV__ = true");
    let message = || format!("{path:?} was built for development (__DEV__ is true)");
    let warnings = is_debug.then(|| Warning { kind: WarningKind::DebugBundle, message: message() });
    let warnings = warnings.into_iter().collect();
    Ok(Content { engine: Engine::JavaScript, hermes_version: None, warnings })
}

fn inspect_hermes(path: &str, size_bytes: u64, start: &[u8]) -> Result<Content, crate::Error> {
    let wrong = |why: String| Err(Refusal::Content { entry: path.to_owned(), why }.into());
    match HermesHeader::parse(start) {
        None => wrong("the Hermes bytecode ends in its header".to_owned()),
        Some(header) if u64::from(header.length_bytes) != size_bytes => {
            wrong(format!("the Hermes bytecode has {size_bytes} bytes instead of {}", header.length_bytes))
        }
        Some(header) => {
            Ok(Content { engine: Engine::Hermes, hermes_version: Some(header.version), warnings: Vec::new() })
        }
    }
}
