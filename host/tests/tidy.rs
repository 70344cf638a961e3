//! House rules that a compiler does not know.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Which rooms each room may use. `config` is a leaf that anyone may read.
fn arrows() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("observe", &[] as &[_]),
        ("config", &["observe", "environment"] as &[_]),
        ("environment", &["observe"] as &[_]),
        ("plugin", &["observe", "config"] as &[_]),
        ("capability", &["observe", "config", "environment", "plugin"] as &[_]),
        ("load", &["observe", "config", "environment", "plugin", "capability"] as &[_]),
        ("faults", &["observe", "config", "environment", "plugin", "capability"] as &[_]),
        ("judge", &["observe", "config", "plugin", "capability"] as &[_]),
        ("report", &["observe"] as &[_]),
        ("terminal", &["observe"] as &[_]),
        (
            "run",
            &[
                "observe",
                "config",
                "environment",
                "plugin",
                "capability",
                "load",
                "faults",
                "judge",
                "report",
                "terminal",
            ] as &[_],
        ),
        ("cli", &["observe", "config", "environment", "run"] as &[_]),
    ])
}

/// The arrows between rooms point one way.
#[test]
fn rooms_use_only_what_lies_below_them() {
    let arrows = arrows();
    let mut wrong = Vec::new();
    for file in rust_files(&source_root()) {
        let relative = file.strip_prefix(source_root()).expect("below the root");
        let Some(room) = relative.iter().next().and_then(|name| name.to_str()) else { continue };
        let room = room.trim_end_matches(".rs");
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = arrows.get(room).unwrap_or_else(|| panic!("the room '{room}' is not on the map"));
        let text = fs::read_to_string(&file).expect("the file can be read");
        // Inside `use crate::{` rooms stand without the crate's name.
        let mut grouped = false;
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for other in arrows.keys().filter(|other| **other != room && !allowed.contains(other)) {
                if names(line, "crate::", other) || (grouped && names(line.trim_start(), "", other)) {
                    wrong.push(format!("{}:{}: {room} must not use {other}", relative.display(), number + 1));
                }
            }
            grouped = match grouped {
                true => !line.starts_with('}'),
                false => line.trim_end() == "use crate::{",
            };
        }
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

/// Does a line name a room by a path that begins so? Without a prefix the line itself begins with it.
fn names(line: &str, prefix: &str, room: &str) -> bool {
    let path = format!("{prefix}{room}::");
    match prefix.is_empty() {
        true => line.starts_with(&path),
        false => {
            let grouped = line.starts_with("use crate::{");
            line.contains(&path)
                || grouped
                    && [format!("{{{room}::"), format!(", {room}::")].iter().any(|part| line.contains(part))
        }
    }
}

/// The host is generic: what it is used on stays in plugins, configs and applications.
#[test]
fn the_host_names_no_product() {
    let words = ["postgres", "redis", "django", "jewel", "shop", "vps"];
    let mut named = Vec::new();
    for file in rust_files(&source_root()) {
        let relative = file.strip_prefix(source_root()).expect("below the root").display().to_string();
        let speaks = ["capability/sql", "capability/redis"].iter().any(|room| relative.starts_with(room));
        if speaks {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).expect("the file can be read").lines().enumerate() {
            let lower = line.to_lowercase();
            for word in words {
                // The capability's own name is how it is linked, granted and used.
                let own_name = word == "redis" && is_capability_name(&lower);
                if lower.contains(word) && !own_name {
                    named.push(format!("{relative}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(named.is_empty(), "the host names what it should not know:\n{}", named.join("\n"));
}

/// Module lines, linker entries, grant keys: the places where a capability's name must stand.
fn is_capability_name(line: &str) -> bool {
    let line = line.trim();
    ["mod redis;", "redis::", "redis:", "\"redis\"", "grants.redis", "`redis`", ".redis", "redis,"]
        .iter()
        .any(|form| line.contains(form))
}

/// Every module says what it is for.
#[test]
fn every_file_begins_with_its_purpose() {
    let bare: Vec<_> = rust_files(&source_root())
        .into_iter()
        // What tests of a module are for is said by the module.
        .filter(|file| !file.ends_with("tests.rs"))
        .filter(|file| !fs::read_to_string(file).expect("the file can be read").starts_with("//!"))
        .collect();
    assert!(bare.is_empty(), "files without module documentation: {bare:?}");
}
