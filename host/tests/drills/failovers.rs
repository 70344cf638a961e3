//! Failovers of the shop's database, measured by the host and by a prober that has nothing of it.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    in_the_lab,
    support::{
        SOONER, fault_changes, figures, finish,
        kept_lab::KeptLab,
        kills::Platform,
        prober::{Measured, Prober},
        run_directory, text,
    },
};

/// One failover, or as many as `make soak-rto` asks for.
#[test]
fn a_prober_agrees_on_every_failover() {
    in_the_lab(|lab| {
        let rounds = figures::rounds("ASSAY_FAILOVERS", 1);
        let mut agreed = 0;
        for round in 1..=rounds {
            agreed += u32::from(agrees(lab, round));
            lab.whole();
        }
        figures::line(&format!("\n{agreed} of {rounds} agree."));
        assert_eq!(agreed, rounds);
    });
}

fn agrees(lab: &KeptLab, round: u32) -> bool {
    let runs = tempfile::tempdir().expect("a folder");
    let prober = Prober::beside(&lab.id);
    let mut drill = lab.run("config/drill-postgres-failover.toml", runs.path());
    drill.args(SOONER.iter().flat_map(|one| ["--set", one]));
    let output = finish(&mut drill, Duration::from_secs(240));
    let changes = fault_changes(&run_directory(runs.path()), "postgres-primary", "seen");
    let seen = changes.last().unwrap_or_else(|| panic!("no outage was seen: {}", text(&output)));
    let measured = prober.outage();
    let [users, probe] = [&seen["users"][0], &seen["probe"]].map(|by| measured.beside(by));
    let second = |seconds: f64| format!("{seconds:.2} s");
    let Measured { seconds, gap, writes, failures } = &measured;
    figures::row([
        round.to_string(),
        second(*seconds),
        second(*gap),
        format!("{failures} of {writes}"),
        second(probe.host),
        format!("{:.2} of {:.2} s", probe.apart, probe.allowed),
        second(users.host),
        format!("{:.2} of {:.2} s", users.apart, users.allowed),
    ]);
    eprintln!("failover {round}: {measured:?}, probe {probe:?}, users {users:?}");
    probe.agrees() && users.agrees()
}

/// The prober's own tests need nothing but Python.
#[test]
fn the_prober_computes_outages_rightly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prober");
    let mut tests = Command::new("python3");
    tests.args(["-B", "-m", "unittest", "test_outage"]).current_dir(folder).stdin(Stdio::null());
    let output = finish(&mut tests, Duration::from_secs(60));
    let said = text(&output);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}
