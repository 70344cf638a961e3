//! What is known of a run before anything is started.

use std::time::Duration;

use crate::{
    run, runs,
    support::{alone, facts, finish, host, run_directory, text},
};

#[test]
fn plans_are_made_by_arithmetic_alone() {
    let _alone = alone();
    for (config, code) in
        [("vps-4gb", 1), ("vps-6gb", 0), ("vps-8gb", 0), ("drill-resource-exhaustion", 0), ("extreme", 0)]
    {
        let output = finish(host().arg("plan").arg(format!("config/{config}.toml")), Duration::from_secs(60));
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let plan = String::from_utf8_lossy(&output.stdout);
        // Whether a quota binds depends on the machine.
        insta::with_settings!({ filters => vec![(r" *warning: [A-Za-z]+: not binding[^\n]*\n", "")] }, {
            insta::assert_snapshot!(format!("plan_{config}"), plan);
        });
    }
}

#[test]
fn a_plan_says_what_there_is_no_time_to_see() {
    let arguments = ["--set", "faults.postgres-primary.recover-within=27m"];
    let output =
        finish(host().args(["plan", "config/vps-6gb.toml"]).args(arguments), Duration::from_secs(60));
    assert!(text(&output).contains("its recovery cannot be judged"), "{}", text(&output));
}

#[test]
fn a_run_that_does_not_fit_its_quota_starts_nothing() {
    let _alone = alone();
    let runs = runs();
    let output = finish(&mut run("config/vps-4gb.toml", runs.path()), Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("nothing was started"), "{}", text(&output));
    let directory = run_directory(runs.path());
    assert_eq!(facts(&directory, "instance").len(), 0);
}
