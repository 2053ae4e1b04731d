//! This file's job is to compile a bundle to Hermes bytecode, so that its strings keep the numbers that they have in a base.

use crate::error::Error;
use crate::source::run_blocking;
use bundle::HermesHeader;
use delta::{Budget, Effort, Format};
use domain::Sha256;
use proto::v1;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As the build of React Native compiles a release.
const FLAGS: [&str; 3] = ["-w", "-O", "-output-source-map"];
const FLAG_BASE: &str = "-base-bytecode";
/// Where packages that bring a compiler keep it, below `node_modules`.
const PACKAGES: [&str; 2] = ["hermes-compiler/hermesc", "react-native/sdks/hermesc"];
/// Measured: patches between bundles that were built in the same way have at most 4 % of the whole file when one has the other as its
/// base; when one of them was minified, a fifth or more.
const PATCH_MAX_PERCENT: usize = 12;

/// The compiler of a project.
#[derive(Debug, Clone)]
pub struct Compiler {
    program: PathBuf,
    /// With its version.
    name: String,
    /// The version of the bytecode that it makes.
    bytecode_version: u32,
}

/// A bundle's launch file that a new one is compiled against.
#[derive(Debug, Clone)]
pub struct Base {
    /// Where it lies on this machine.
    pub file: PathBuf,
    /// What it is, for people: a label such as "v3", or where it came from.
    pub what: String,
    /// How it was compiled, when that is known.
    pub build: Option<v1::BundleBuild>,
}

/// What became of a bundle.
#[derive(Debug)]
pub struct Compiled {
    /// The bytecode.
    pub bytecode: PathBuf,
    /// What is remembered of the build.
    pub build: v1::BundleBuild,
    /// The base that was used, for people.
    pub base: Option<String>,
    /// What makes patches from the base larger than they need to be.
    pub warnings: Vec<String>,
}

impl Compiler {
    /// Asks a compiler for its version; without a path, looks for one in the packages of the folder and those above it.
    ///
    /// # Errors
    /// When there is none, or it does not say what it is.
    pub async fn find(path: Option<PathBuf>, folder: PathBuf) -> Result<Self, Error> {
        run_blocking(move || {
            let program = match path {
                Some(path) => path,
                None => find_in_packages(&folder).ok_or_else(|| {
                    Error::Usage("no hermesc in node_modules here or above; say --hermesc=PATH".to_owned())
                })?,
            };
            let output = Command::new(&program).arg("-version").output();
            let output = output.map_err(|source| Error::file(&program, source))?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)).map(str::trim);
            let (release, bytecode) = (line("Hermes release version:"), line("HBC bytecode version:"));
            match (release, bytecode.and_then(|version| version.parse().ok())) {
                (Some(release), Some(bytecode_version)) => Ok(Self {
                    name: format!("hermesc {release}, bytecode {bytecode_version}"),
                    bytecode_version,
                    program,
                }),
                (_, _) => Err(Error::Content(format!("{} does not say what it is with -version", program.display()))),
            }
        })
        .await
    }

    /// Compiles a bundle into a folder; the source map lies beside the bytecode, with `.map` behind its name.
    ///
    /// # Errors
    /// When the compiler refuses the bundle, or a file cannot be read.
    pub async fn compile(&self, source: PathBuf, base: Option<Base>, folder: PathBuf) -> Result<Compiled, Error> {
        let compiler = self.clone();
        run_blocking(move || compiler.compile_now(&source, base, &folder)).await
    }

    fn compile_now(&self, source: &Path, base: Option<Base>, folder: &Path) -> Result<Compiled, Error> {
        let mut warnings = Vec::new();
        let base = base.filter(|base| match self.misfit(base) {
            Some(warning) => {
                warnings.push(warning);
                false
            }
            None => true,
        });
        let bytecode = folder.join(source.file_name().unwrap_or_default());
        let mut command = Command::new(&self.program);
        command.arg("-emit-binary").args(FLAGS).arg("-out").arg(&bytecode);
        if let Some(base) = &base {
            command.arg(FLAG_BASE).arg(&base.file);
        }
        let output = command.arg(source).output().map_err(|source| Error::file(&self.program, source))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Content(format!("hermesc refused {}: {}", source.display(), text.trim())));
        }
        let mut build = v1::BundleBuild {
            compiler: self.name.clone(),
            flags: FLAGS.map(str::to_owned).to_vec(),
            ..Default::default()
        };
        if let Some(base) = &base {
            let read = |path: &Path| std::fs::read(path).map_err(|source| Error::file(path, source));
            let (old, new) = (read(&base.file)?, read(&bytecode)?);
            build.flags.push(FLAG_BASE.to_owned());
            build.base_sha256 = Sha256::of(&old).as_bytes().to_vec().into();
            warnings.extend(self.differences(base, &build));
            warnings.extend(distance(base, &old, &new)?);
        }
        Ok(Compiled { bytecode, build, base: base.map(|base| base.what), warnings })
    }

    /// Says why the file cannot be a base.
    fn misfit(&self, base: &Base) -> Option<String> {
        let file = std::fs::read(&base.file).unwrap_or_default();
        let version = HermesHeader::parse(&file).map(|header| header.version);
        match version {
            None => Some(format!(
                "{} holds no Hermes bytecode, so it is no base: the first patches will be large",
                base.what
            )),
            Some(version) if version != self.bytecode_version => Some(format!(
                "{} holds bytecode {version}, but this hermesc makes {}: binaries that run one do not run the other",
                base.what, self.bytecode_version
            )),
            Some(_) => None,
        }
    }

    /// Says how the build differs from that of the base.
    fn differences(&self, base: &Base, build: &v1::BundleBuild) -> Vec<String> {
        let Some(before) = &base.build else { return Vec::new() };
        let mut warnings = Vec::new();
        if before.compiler != build.compiler {
            warnings.push(format!("{} was compiled by {}, this one by {}", base.what, before.compiler, build.compiler));
        }
        let flags = |build: &v1::BundleBuild| {
            build.flags.iter().filter(|flag| *flag != FLAG_BASE).cloned().collect::<Vec<_>>().join(" ")
        };
        if flags(before) != flags(build) {
            warnings.push(format!("{} was compiled with {}, this one with {}", base.what, flags(before), flags(build)));
        }
        warnings
    }
}

/// Says that a patch from the base is larger than one between two builds of the same kind is.
fn distance(base: &Base, old: &[u8], new: &[u8]) -> Result<Option<String>, Error> {
    let failed = |error: delta::DeltaError| Error::Content(error.to_string());
    let Some(patch) = Format::Hermes.encode(old, new, Effort::Quick, &Budget::UNLIMITED).map_err(failed)? else {
        return Ok(None);
    };
    let whole = delta::size_alone(new).map_err(failed)?;
    let percent = patch.len() * 100 / whole.max(1);
    Ok((percent > PATCH_MAX_PERCENT).then(|| {
        format!(
            "a patch from {} has {percent} % of the whole file: was one of the two minified, or built for development?",
            base.what
        )
    }))
}

fn find_in_packages(folder: &Path) -> Option<PathBuf> {
    let platform = match std::env::consts::OS {
        "macos" => "osx-bin/hermesc",
        "windows" => "win64-bin/hermesc.exe",
        _ => "linux64-bin/hermesc",
    };
    let folders = folder.ancestors().map(|folder| folder.join("node_modules"));
    let mut programs = folders.flat_map(|modules| PACKAGES.map(|package| modules.join(package).join(platform)));
    programs.find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tool chain that made the corpus lies beside it.
    fn corpus() -> PathBuf {
        std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test").into()
    }

    async fn compiler() -> Compiler {
        let corpus = std::fs::canonicalize(corpus()).unwrap();
        let cache = corpus.ancestors().find(|folder| folder.join("corpus-work").is_dir()).unwrap();
        Compiler::find(None, cache.join("corpus-work/project")).await.unwrap()
    }

    fn launch(version: &str, kind: &str) -> PathBuf {
        corpus().join(version).join("android").join(kind).join("index.android.bundle")
    }

    fn base(file: PathBuf, build: Option<v1::BundleBuild>) -> Base {
        Base { file, what: "v1".to_owned(), build }
    }

    #[tokio::test]
    async fn a_base_keeps_patches_small_and_is_remembered() {
        let (compiler, folder) = (compiler().await, tempfile::tempdir().unwrap());
        let place = |name: &str| {
            let place = folder.path().join(name);
            std::fs::create_dir(&place).unwrap();
            place
        };
        let first = compiler.compile(launch("v1", "js"), None, place("1")).await.unwrap();
        assert!(first.warnings.is_empty() && first.build.base_sha256.is_empty(), "{:?}", first.warnings);
        let old = std::fs::read(&first.bytecode).unwrap();
        let given = base(first.bytecode.clone(), Some(first.build.clone()));
        let second = compiler.compile(launch("v2", "js"), Some(given), place("2")).await.unwrap();
        assert_eq!(second.warnings, [""; 0]);
        assert_eq!(second.build.base_sha256, Sha256::of(&old).as_bytes()[..]);
        assert!(second.build.compiler.starts_with("hermesc ") && second.build.flags.contains(&FLAG_BASE.to_owned()));
        assert!(PathBuf::from(format!("{}.map", second.bytecode.display())).is_file());
        let new = std::fs::read(&second.bytecode).unwrap();
        assert_eq!(HermesHeader::parse(&new).unwrap().version, compiler.bytecode_version);
        let patch = Format::Bsdiff40.encode(&old, &new, Effort::Quick, &Budget::UNLIMITED).unwrap().unwrap();
        assert!(patch.len() * 100 < new.len(), "{} of {}", patch.len(), new.len());
    }

    #[tokio::test]
    async fn what_ruins_patches_is_told() {
        let (compiler, folder) = (compiler().await, tempfile::tempdir().unwrap());
        let compile = async |base: Base| {
            let place = tempfile::tempdir_in(folder.path()).unwrap().keep();
            compiler.compile(launch("v1", "js"), Some(base), place).await.unwrap().warnings.join("\n")
        };
        let script = compile(base(launch("v1", "js"), None)).await;
        assert!(script.contains("holds no Hermes bytecode"), "{script}");
        // The corpus compiles what was not minified.
        let other = v1::BundleBuild { compiler: "hermesc 0.1".into(), flags: vec!["-O0".into()], ..Default::default() };
        let mixed = compile(base(launch("v1", "hermes"), Some(other))).await;
        for part in ["hermesc 0.1", "-O0", "% of the whole file"] {
            assert!(mixed.contains(part), "{mixed}");
        }
        let mut foreign = std::fs::read(launch("v1", "hermes")).unwrap();
        foreign[8] = 96;
        let file = folder.path().join("foreign");
        std::fs::write(&file, foreign).unwrap();
        let foreign = compile(base(file, None)).await;
        assert!(foreign.contains("bytecode 96"), "{foreign}");
    }

    #[tokio::test]
    async fn what_is_no_compiler_or_no_script_is_refused() {
        assert!(Compiler::find(Some("/bin/true".into()), PathBuf::new()).await.is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Compiler::find(None, folder.path().into()).await, Err(Error::Usage(_))));
        let broken = folder.path().join("index.android.bundle");
        std::fs::write(&broken, "var a = ;").unwrap();
        let out = tempfile::tempdir().unwrap();
        let error = compiler().await.compile(broken, None, out.path().into()).await.unwrap_err();
        assert!(error.to_string().contains("hermesc refused"), "{error}");
    }
}
