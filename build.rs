//! Puts the git commit into the executable: it is part of the code version in every model card.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    println!("cargo::rerun-if-env-changed=SLUICE_COMMIT");
    let given = std::env::var("SLUICE_COMMIT").ok();
    if let Some(commit) = given.or_else(commit) {
        println!("cargo::rustc-env=SLUICE_COMMIT={commit}");
    }
}

/// The commit that is checked out, with `-dirty` when tracked files differ from it; nothing outside a checkout.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"])
        .is_some_and(|changes| !changes.is_empty());
    Some(if dirty {
        format!("{commit}-dirty")
    } else {
        commit
    })
}
