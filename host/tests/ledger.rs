//! Is the ledger true? Writes are lost on purpose, or nearly, and what Assay counts is compared with what the new
//! primary answers to a SELECT of the test's own.

mod support;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use support::{alone, facts, finish, kept_lab::KeptLab, project, run_directory, text};

/// An experiment of the folder `ledger`, run in a lab that is still up: one of its own, because how databases replicate
/// is what a stack says.
struct Experiment {
    lab: KeptLab,
    /// Configs, stacks, and the run's directory.
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
}

impl Experiment {
    fn run(name: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&project().join("config"), folder.path());
        copy(&project().join("host/tests/ledger"), folder.path());
        let lab = KeptLab::start(&folder.path().join(format!("stacks/{name}.toml")));
        let config = folder.path().join(format!("{name}.toml"));
        let mut run = lab.run(&config.display().to_string(), &folder.path().join("runs"));
        let output = finish(&mut run, Duration::from_secs(360));
        Self { lab, folder, code: output.status.code(), said: text(&output) }
    }

    fn directory(&self) -> PathBuf {
        run_directory(&self.folder.path().join("runs"))
    }

    /// When a fault struck.
    fn struck(&self, fault: &str) -> u64 {
        let events = support::events(&self.directory());
        let strike = events.iter().find(|event| {
            let told = &event["fact"]["fault"];
            told["fault"] == fault && told["change"].get("injected").is_some()
        });
        let strike = strike.unwrap_or_else(|| panic!("{fault} did not strike:\n{}", self.said));
        strike["at"].as_u64().expect("a moment")
    }

    /// Keys of all writes of one kind in the ledger, with their moments.
    fn entered(&self, kind: &str) -> Vec<(u64, String)> {
        let text = std::fs::read_to_string(self.directory().join("ledger.jsonl")).expect("a ledger");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an entry"));
        lines
            .filter(|line| line["entry"] == kind)
            .map(|line| {
                (line["at"].as_u64().expect("a moment"), line["key"].as_str().expect("a key").to_owned())
            })
            .collect()
    }

    /// A figure of all audits together.
    fn counted(&self, figure: &str) -> u64 {
        let audits = facts(&self.directory(), "audit");
        assert_eq!(audits.len(), 2, "users and probe: {audits:?}\n{}", self.said);
        assert!(audits.iter().all(|audit| audit["failure"].is_null()), "{audits:?}");
        audits.iter().map(|audit| audit[figure].as_u64().expect("a count")).sum()
    }

    /// What became of the promises that no confirmed write is lost.
    fn kept(&self) -> Vec<Value> {
        let verdicts = facts(&self.directory(), "verdict").into_iter();
        let lost = verdicts.filter(|verdict| {
            verdict["subject"].as_str().is_some_and(|subject| subject.ends_with(": confirmed writes lost"))
        });
        lost.map(|verdict| verdict["outcome"].clone()).collect()
    }

    /// Keys that Assay says are lost.
    fn named_lost(&self) -> BTreeSet<String> {
        let audits = facts(&self.directory(), "audit");
        let keys = audits.iter().flat_map(|audit| audit["lost-keys"].as_array().expect("keys"));
        keys.map(|key| key.as_str().expect("a key").to_owned()).collect()
    }

    /// Which of these sales the primary does not have. It is found among the databases by asking them, and is not
    /// the one that was killed.
    fn missing(&self, keys: &BTreeSet<String>) -> BTreeSet<String> {
        let aimed = facts(&self.directory(), "fault");
        let aim =
            aimed.iter().find(|told| told["fault"] == "primary" && told["change"].get("aimed").is_some());
        let victim = &aim.expect("it aimed")["change"]["aimed"]["victims"][0]["name"];
        let databases = ["postgres-0", "postgres-1", "postgres-2"];
        let is_primary =
            |database: &&&str| self.select(database, "SELECT pg_is_in_recovery()").as_deref() == Some("f");
        let primaries: Vec<_> = databases.iter().filter(is_primary).collect();
        let [primary] = primaries.as_slice() else { panic!("primaries: {primaries:?}\n{}", self.said) };
        assert_ne!(victim, **primary, "somebody else took over");
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let missing = format!(
            "SELECT key FROM unnest(string_to_array('{}', ' ')) AS key \
             WHERE NOT EXISTS (SELECT FROM sales WHERE reference = key)",
            keys.join(" ")
        );
        let answer = self.select(primary, &missing).expect("the primary answers");
        answer.lines().map(str::to_owned).collect()
    }

    /// What a database answers to its own superuser, over its own socket.
    fn select(&self, database: &str, query: &str) -> Option<String> {
        let psql = ["--", "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname=shop", "--command"];
        let mut exec = self.lab.host(&["lab", "exec", database]);
        let output = finish(exec.args(psql).arg(query), Duration::from_secs(30));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("read");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("known").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

fn keys(entries: &[(u64, String)]) -> BTreeSet<String> {
    entries.iter().map(|(_, key)| key.clone()).collect()
}

/// Packets that were already under way when the network was cut.
const UNDER_WAY: u64 = 500_000_000;

#[test]
fn writes_lost_by_asynchronous_replication_are_counted_exactly() {
    let _alone = alone();
    let experiment = Experiment::run("asynchronous");
    assert_eq!(experiment.code, Some(1), "{}", experiment.said);
    assert!(experiment.kept().contains(&Value::from("broken")), "{}", experiment.said);

    let confirmed = experiment.entered("confirm");
    let lost = experiment.missing(&keys(&confirmed));
    assert!(!lost.is_empty(), "nothing was lost, so nothing was shown:\n{}", experiment.said);
    assert_eq!(experiment.counted("lost"), lost.len() as u64, "{}", experiment.said);
    assert_eq!(experiment.named_lost(), lost);

    // They are those that were confirmed while the primary was alone, all of them.
    let (cut, end) = (experiment.struck("replication"), experiment.struck("primary"));
    let alone: BTreeSet<_> = confirmed
        .iter()
        .filter(|(at, _)| (cut + UNDER_WAY..end).contains(at))
        .map(|(_, key)| key.clone())
        .collect();
    assert!(!alone.is_empty() && alone.is_subset(&lost), "{alone:?}\n{lost:?}");
    let before: Vec<_> = confirmed.iter().filter(|(at, key)| *at < cut && lost.contains(key)).collect();
    assert_eq!(before, Vec::<&(u64, String)>::new(), "confirmed before the cut at {cut}, and lost");
    println!("{} of {} confirmed writes lost", lost.len(), confirmed.len());
}

#[test]
fn writes_that_strict_replication_blocked_are_indeterminate_and_none_is_lost() {
    let _alone = alone();
    let experiment = Experiment::run("strict");
    assert_ne!(experiment.code, Some(1), "{}", experiment.said);
    assert_eq!(experiment.kept(), ["kept", "kept"], "{}", experiment.said);

    let confirmed = experiment.entered("confirm");
    assert_eq!(experiment.counted("confirmed"), confirmed.len() as u64);
    assert_eq!(experiment.missing(&keys(&confirmed)), BTreeSet::new(), "{}", experiment.said);
    assert_eq!((experiment.counted("lost"), experiment.named_lost()), (0, BTreeSet::new()));

    // The cut was felt: who tried to write was not told anything.
    let (cut, end) = (experiment.struck("replication"), experiment.struck("primary"));
    let told: Vec<_> = confirmed.iter().filter(|(at, _)| (cut + UNDER_WAY..end).contains(at)).collect();
    assert_eq!(told, Vec::<&(u64, String)>::new(), "confirmed by a primary that was alone since {cut}");
    let mut open = experiment.entered("attempt");
    let ended = keys(&[confirmed, experiment.entered("reject")].concat());
    open.retain(|(at, key)| (cut..end).contains(at) && !ended.contains(key));
    assert!(!open.is_empty(), "{}", experiment.said);
    assert!(experiment.counted("indeterminate") >= open.len() as u64);
    println!("{} writes blocked, {} indeterminate", open.len(), experiment.counted("indeterminate"));
}
