//! The folder that a Functions host is started on: `host.json`, the executable, `sluice.toml`, one folder per function.
//!
//! The manifests are inside the executable, so `sluice up` needs no checkout. `func start` works on the same folder: its
//! settings are in `local.settings.json`, which the deployed package has not got.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::functions::{HOST_JSON, MANIFESTS};

/// Writes the folder anew where it differs; says the executable's path in it.
pub(super) fn stage(
    folder: &Path,
    config_file: &Path,
    settings: &BTreeMap<String, String>,
) -> anyhow::Result<PathBuf> {
    let cannot = || format!("the folder {} cannot be staged", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    write(&folder.join("host.json"), HOST_JSON.as_bytes()).with_context(cannot)?;
    for manifest in MANIFESTS {
        let function = folder.join(manifest.name);
        fs::create_dir_all(&function).with_context(cannot)?;
        write(
            &function.join("function.json"),
            manifest.function_json.as_bytes(),
        )
        .with_context(cannot)?;
    }
    let config = fs::read(config_file)
        .with_context(|| format!("{} cannot be read", config_file.display()))?;
    write(&folder.join("sluice.toml"), &config).with_context(cannot)?;
    let local = serde_json::json!({ "IsEncrypted": false, "Values": settings });
    write(
        &folder.join("local.settings.json"),
        &serde_json::to_vec_pretty(&local)?,
    )
    .with_context(cannot)?;
    let executable = folder.join("sluice");
    place_executable(&executable).with_context(cannot)?;
    Ok(executable)
}

/// Write-new-then-rename: a host that reads the folder meanwhile never sees half a file.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let new = file.with_extension("new");
    fs::File::create(&new)?.write_all(bytes)?;
    fs::rename(&new, file)
}

/// A hard link where the file system allows it, else a copy. A running handler keeps the file that it was started from.
fn place_executable(place: &Path) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let new = place.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if fs::hard_link(&own, &new).is_err() {
        fs::copy(&own, &new)?;
    }
    fs::rename(&new, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_twice_gives_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app");
        let config = folder.path().join("sluice.toml");
        let settings = BTreeMap::from([("MONITOR_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())]);
        fs::write(&config, "# a").unwrap();
        stage(&app, &config, &settings).unwrap();
        fs::write(&config, "# b").unwrap();
        stage(&app, &config, &settings).unwrap();
        assert_eq!(fs::read_to_string(app.join("sluice.toml")).unwrap(), "# b");
        assert_eq!(
            fs::read_to_string(app.join("predict/function.json")).unwrap(),
            MANIFESTS[0].function_json
        );
        assert!(app.join("sluice").is_file());
        let local = fs::read_to_string(app.join("local.settings.json")).unwrap();
        assert!(local.contains("\"MONITOR_SCHEDULE\": \"0 0 * * * *\""));
    }
}
