//! What is in the folder, and that the handler leaves it alone (lines 44 and 46).

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use object::elf::EM_X86_64;
use object::read::elf::{ElfFile64, FileHeader as _};

use super::Finding;
use super::app::App;
use super::check::Check;
use crate::index::FunctionStatus;

/// The C library of Debian 12. What the host's image has is not documented; a newer need is surely too new.
const NEWEST_GLIBC: (u32, u32) = (2, 36);

/// Size, time and mode of every file.
pub(super) type Snapshot = BTreeMap<PathBuf, (u64, i64, i64, u32)>;

/// Looks at every file below the folder.
pub(super) fn snapshot(folder: &Path) -> io::Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            snapshot.insert(entry.path(), facts(&metadata));
        }
    }
    Ok(snapshot)
}

fn facts(metadata: &Metadata) -> (u64, i64, i64, u32) {
    (
        if metadata.is_dir() {
            0
        } else {
            metadata.size()
        },
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.mode(),
    )
}

/// Line 44.
pub(super) fn is_untouched(app: &App, before: &Snapshot) -> Finding {
    let mut check = Check::new(
        44,
        "writes nothing into the app's folder, which is read-only in Azure",
    );
    match snapshot(&app.app_root) {
        Err(error) => check.problem(format!("the folder cannot be read any more: {error}")),
        Ok(after) => {
            let all = before.keys().chain(after.keys());
            let mut changed: Vec<&PathBuf> = all
                .filter(|path| before.get(*path) != after.get(*path))
                // A folder changes with what is in it.
                .filter(|path| !path.is_dir())
                .collect();
            changed.sort();
            changed.dedup();
            for path in changed {
                let shown = path.strip_prefix(&app.app_root).unwrap_or(path);
                check.problem(format!("{} was written", shown.display()));
            }
        }
    }
    check.done()
}

/// Line 46, as far as a folder shows it.
///
/// `unserved` are functions that the handler answered with 404.
pub(super) fn is_complete(app: &App, unserved: &[String]) -> Finding {
    let mut check = Check::new(
        46,
        "host.json, every function.json and the executable fit a Linux x86-64 host",
    );
    for report in &app.reports {
        if let FunctionStatus::Rejected { reason } = &report.status {
            check.problem(format!("{}/function.json: {reason}", report.name));
        }
    }
    for name in unserved {
        check.problem(format!(
            "{name}: POST /{name} is 404: the handler must serve every function by its folder's name"
        ));
    }
    let executable = &app.launch.executable;
    if let Ok(metadata) = executable.metadata()
        && metadata.permissions().mode() & 0o555 != 0o555
    {
        check.problem(format!(
            "{} has the mode {:o}: everybody must be able to read and run it, chmod 755",
            executable.display(),
            metadata.permissions().mode() & 0o777
        ));
    }
    match kind_of(executable) {
        Err(error) => check.problem(format!("{}: {error}", executable.display())),
        Ok(Kind::Script(first)) => check.remark(format!(
            "the executable is a script, {first}: the host's image must have its interpreter"
        )),
        Ok(Kind::Other) => {
            check.problem("the executable is neither an ELF file nor a script".to_owned());
        }
        Ok(Kind::OtherMachine) => {
            check.problem("the executable is not made for x86-64".to_owned());
        }
        Ok(Kind::Elf { glibc: None }) => check.remark("the executable needs no C library"),
        Ok(Kind::Elf {
            glibc: Some((major, minor)),
        }) => {
            let needs = format!("the executable needs glibc {major}.{minor}");
            if (major, minor) > NEWEST_GLIBC {
                check.problem(format!(
                    "{needs}; build it on a system with {}.{} or older, or static",
                    NEWEST_GLIBC.0, NEWEST_GLIBC.1
                ));
            } else {
                check.remark(needs);
            }
        }
    }
    if app.app_root.join("local.settings.json").exists() {
        check.remark("local.settings.json is for this machine: leave it out of the package");
    }
    check.done()
}

/// What an executable is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// With the newest version of the GNU C library that it asks for.
    Elf {
        glibc: Option<(u32, u32)>,
    },
    OtherMachine,
    /// With its first line.
    Script(String),
    Other,
}

fn kind_of(path: &Path) -> Result<Kind, String> {
    let broken = |error: &dyn std::fmt::Display| format!("it cannot be read: {error}");
    let mut start = [0; 4];
    let mut file = std::fs::File::open(path).map_err(|error| broken(&error))?;
    if file.read_exact(&mut start).is_err() {
        return Ok(Kind::Other);
    }
    if start.starts_with(b"#!") {
        let text = std::fs::read(path).map_err(|error| broken(&error))?;
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return Ok(Kind::Script(String::from_utf8_lossy(first).into_owned()));
    }
    if &start != b"\x7fELF" {
        return Ok(Kind::Other);
    }
    let content = std::fs::read(path).map_err(|error| broken(&error))?;
    let Ok(elf) = ElfFile64::<object::Endianness>::parse(&*content) else {
        return Ok(Kind::OtherMachine);
    };
    if elf.elf_header().e_machine(elf.endian()) != EM_X86_64 {
        return Ok(Kind::OtherMachine);
    }
    let glibc = newest_glibc(&elf).map_err(|error| broken(&error))?;
    Ok(Kind::Elf { glibc })
}

/// The newest `GLIBC_x.y` among the versions that the file needs.
fn newest_glibc(elf: &ElfFile64<'_>) -> object::Result<Option<(u32, u32)>> {
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let Some((mut libraries, strings)) = sections.gnu_verneed(endian, data)? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, data, strings)?;
    let mut newest = None;
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            let name = version.name(endian, strings)?;
            let numbers = std::str::from_utf8(name)
                .ok()
                .and_then(|name| name.strip_prefix("GLIBC_")?.split_once('.'));
            if let Some((major, minor)) = numbers
                && let (Ok(major), Ok(minor)) = (
                    major.parse::<u32>(),
                    minor.split('.').next().unwrap_or_default().parse::<u32>(),
                )
            {
                newest = newest.max(Some((major, minor)));
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        assert_eq!(
            kind_of(&file("script", b"#!/usr/bin/env python3\nx")).unwrap(),
            Kind::Script("#!/usr/bin/env python3".into())
        );
        assert_eq!(kind_of(&file("text", b"hello")).unwrap(), Kind::Other);
        assert_eq!(kind_of(&file("short", b"a")).unwrap(), Kind::Other);
        assert_eq!(
            kind_of(&file("elf", b"\x7fELF\x01")).unwrap(),
            Kind::OtherMachine
        );
        let own = kind_of(&std::env::current_exe().unwrap()).unwrap();
        assert!(
            matches!(own, Kind::Elf { glibc: Some((2, minor)) } if minor > 10),
            "{own:?}"
        );
    }

    #[test]
    fn a_snapshot_sees_new_and_changed_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), "1").unwrap();
        let before = snapshot(folder.path()).unwrap();
        assert_eq!(before, snapshot(folder.path()).unwrap());
        std::fs::write(folder.path().join("a/b"), "22").unwrap();
        assert_ne!(before, snapshot(folder.path()).unwrap());
    }
}
