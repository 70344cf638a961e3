//! A script decides whether what it finds is a database, or what is left of copying one. It must
//! keep the former, and never the latter. Both platforms run the same one.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Files of a data directory, and whether they are a database.
const FOUND: [(&str, &[&str], bool); 7] = [
    ("nothing", &[], false),
    ("a database of its own", &["PG_VERSION", "global/pg_control"], true),
    ("a copy in use", &["backup_label.old", "backup_manifest", "global/pg_control", "standby.signal"], true),
    ("a copy that has just begun", &["pg_wal/archive_status/none"], false),
    ("a copy without its end", &["backup_label", "PG_VERSION", "base/1/1259"], false),
    ("a copy not yet on disk", &["backup_label", "backup_manifest.tmp", "global/pg_control"], false),
    ("a copy that was never in use", &["backup_label", "backup_manifest", "global/pg_control"], false),
];

#[test]
fn a_database_is_kept_and_half_a_copy_is_not() {
    let script = read("kubernetes/jewelry-shop/base/files/start-postgres.sh");
    for (what, files, is_kept) in FOUND {
        let folder = tempfile::tempdir().expect("a folder");
        let found = folder.path().join("data");
        for file in files {
            let file = found.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, "").expect("written");
        }
        start(&script, &found);
        assert_eq!(found.exists(), is_kept, "{what}");
    }
}

#[test]
fn both_platforms_look_where_patroni_keeps_its_data() {
    for (starts, with, config) in [
        (
            "kubernetes/jewelry-shop/base/postgres.yaml",
            "args: [sh, /config/start-postgres.sh, DATA]",
            "kubernetes/jewelry-shop/base/files/patroni.yml",
        ),
        (
            "stacks/jewelry-shop.toml",
            "command = [\"sh\", \"/config/start.sh\", \"DATA\"]",
            "stacks/jewelry-shop/patroni.yml.j2",
        ),
    ] {
        let config = read(config);
        let data = config.lines().find_map(|line| line.trim().strip_prefix("data_dir: ")).expect("a line");
        assert!(read(starts).contains(&with.replace("DATA", data)), "{starts} names {data}");
    }
}

/// Runs the script up to where it would hand over to Patroni.
fn start(script: &str, data: &Path) {
    let (decides, _) = script.split_once("exec patroni").expect("it starts Patroni");
    let status = Command::new("sh").args(["-c", decides, "sh"]).arg(data).status().expect("it starts");
    assert!(status.success());
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
