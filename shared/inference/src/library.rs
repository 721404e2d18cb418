//! Where the ONNX Runtime library is looked for, and which version it is.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The version that Sluice is tested with and fetches. Version 1.24 and newer can be loaded.
pub const ONNXRUNTIME_VERSION: &str = "1.31.1";

/// The symbol version, which holds the number, is in the string table: at 24 KB of the official Linux library.
const SEARCHED_BYTES: u64 = 1 << 18;

/// Where to look for the library; empty fields are left out. The first place in the order of the fields wins.
///
/// No field is read from the environment here: the caller passes what it knows.
#[derive(Clone, Debug, Default)]
pub struct LibrarySearch {
    /// The file that a setting names.
    pub setting: Option<PathBuf>,
    /// The value of `ORT_DYLIB_PATH`, the library's usual variable.
    pub ort_dylib_path: Option<PathBuf>,
    /// The folder of the executable.
    pub executable_dir: Option<PathBuf>,
    /// The user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`).
    pub cache_dir: Option<PathBuf>,
}

/// Who names a place of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The setting.
    Setting,
    /// The variable `ORT_DYLIB_PATH`.
    OrtDylibPath,
    /// The folder of the executable.
    BesideExecutable,
    /// The user's cache.
    Cache,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Setting => "the setting",
            Self::OrtDylibPath => "ORT_DYLIB_PATH",
            Self::BesideExecutable => "beside the executable",
            Self::Cache => "the user's cache",
        })
    }
}

impl Place {
    /// Whether somebody asked for exactly this file. Then no other file may stand in for it.
    pub(crate) fn is_explicit(self) -> bool {
        matches!(self, Self::Setting | Self::OrtDylibPath)
    }
}

impl LibrarySearch {
    /// Every file that is looked at, in order.
    pub fn candidates(&self) -> Vec<(Place, PathBuf)> {
        let cache_dir = format!("sluice/onnxruntime-{ONNXRUNTIME_VERSION}");
        let explicit = [
            (Place::Setting, &self.setting),
            (Place::OrtDylibPath, &self.ort_dylib_path),
        ];
        let folders = [
            (Place::BesideExecutable, self.executable_dir.clone()),
            (
                Place::Cache,
                self.cache_dir.as_ref().map(|dir| dir.join(cache_dir)),
            ),
        ];

        let mut candidates = Vec::new();
        for (place, path) in explicit {
            candidates.extend(path.clone().map(|path| (place, path)));
        }
        for (place, folder) in folders {
            let files = folder
                .into_iter()
                .flat_map(|folder| file_names().map(|name| folder.join(name)));
            candidates.extend(files.map(|path| (place, path)));
        }
        candidates
    }
}

/// The name with the version, as the wheel has it, before the plain one.
fn file_names() -> [String; 2] {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    if cfg!(target_os = "macos") {
        [
            format!("{prefix}onnxruntime.{ONNXRUNTIME_VERSION}{suffix}"),
            format!("{prefix}onnxruntime{suffix}"),
        ]
    } else {
        [
            format!("{prefix}onnxruntime{suffix}.{ONNXRUNTIME_VERSION}"),
            format!("{prefix}onnxruntime{suffix}"),
        ]
    }
}

/// The version that the library file carries: its symbol version `VERS_x.y.z`, which ONNX Runtime's build gives to
/// every exported symbol (`tools/ci_build/gen_def.py`), else the number in its file name.
///
/// The C API can tell it too, but no safe function of `ort` passes it on.
pub(crate) fn version_of(library: &Path) -> Option<String> {
    symbol_version(library).or_else(|| {
        let real = library.canonicalize().ok()?;
        let name = real.file_name()?.to_str()?;
        version_at(
            name.find(|c: char| c.is_ascii_digit())
                .map(|at| &name.as_bytes()[at..])?,
        )
    })
}

fn symbol_version(library: &Path) -> Option<String> {
    const MARK: &[u8] = b"\0VERS_";
    let mut start = Vec::new();
    File::open(library)
        .ok()?
        .take(SEARCHED_BYTES)
        .read_to_end(&mut start)
        .ok()?;
    let at = start
        .windows(MARK.len())
        .position(|window| window == MARK)?;
    version_at(&start[at + MARK.len()..])
}

/// The number with at least one dot at the start of `bytes`.
fn version_at(bytes: &[u8]) -> Option<String> {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let version = std::str::from_utf8(&bytes[..length])
        .ok()?
        .trim_matches('.');
    version.contains('.').then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_searched_in_the_stated_order() {
        let search = LibrarySearch {
            setting: Some("set.so".into()),
            ort_dylib_path: Some("var.so".into()),
            executable_dir: Some("bin".into()),
            cache_dir: Some("cache".into()),
        };
        let candidates = search.candidates();
        let places: Vec<Place> = candidates.iter().map(|(place, _)| *place).collect();
        assert_eq!(
            places,
            [
                Place::Setting,
                Place::OrtDylibPath,
                Place::BesideExecutable,
                Place::BesideExecutable,
                Place::Cache,
                Place::Cache
            ]
        );
        assert_eq!(candidates[0].1, Path::new("set.so"));
        assert_eq!(candidates[1].1, Path::new("var.so"));
        assert!(candidates[2].1.starts_with("bin"));
        assert!(
            candidates[4]
                .1
                .starts_with("cache/sluice/onnxruntime-1.31.1")
        );
        assert!(LibrarySearch::default().candidates().is_empty());
    }

    #[test]
    fn the_version_is_read_from_the_symbols_before_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libonnxruntime.so.1.30.0");
        std::fs::write(&file, b"\x7fELF \0OrtGetApiBase\0VERS_1.31.1\0").unwrap();
        assert_eq!(version_of(&file).as_deref(), Some("1.31.1"));
        std::fs::write(&file, b"\x7fELF").unwrap();
        assert_eq!(version_of(&file).as_deref(), Some("1.30.0"));
        assert_eq!(version_of(&folder.path().join("libonnxruntime.so")), None);
    }
}
