use assay_sdk::cluster::{ExecResult, InstanceState};
use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::Bite;
use assay_sdk::sql::Value;

use super::*;

const CPU: &str = r#"{"selector": "app=web", "resource": "cpu"}"#;
const MEMORY: &str = r#"{"selector": "app=web", "resource": "memory"}"#;
const DISK: &str =
    r#"{"selector": "app=web", "resource": "disk", "disk": {"path": "/scratch", "at-most": "2Mi"}}"#;
const CONNECTIONS: &str =
    r#"{"selector": "app=db", "resource": "connections", "database": {"credentials": "shop"}}"#;

fn fault(json: &str) -> ResourceExhaustion {
    ResourceExhaustion::new(assay_sdk::config::read(json).expect("a config"))
}

/// A web that may use one and a half processors and 64 bytes.
fn one_web() -> FakeHost {
    let host = FakeHost::start();
    let mut web = fake::workload("web", "app=web", 1);
    (web.cpu_limit, web.memory_limit) = (Some(1500), Some(64));
    host.workload(web);
    host.instance(fake::instance("web-0", "app=web"));
    host
}

fn ends(code: i32) -> Result<ExecResult> {
    Ok(ExecResult { exit_code: code, stdout: String::new(), stderr: "no bash".to_owned() })
}

/// Lets the folder say how many bytes it has room for.
fn has_room(host: &FakeHost, bytes: &str) {
    let answer = ExecResult { exit_code: 0, stdout: format!("{bytes}\n"), stderr: String::new() };
    host.exec("web-0", &format!("bash -c {} room /scratch", inside::ROOM), Ok(answer));
}

/// Aims, lets the script with these arguments end with this code, and strikes. Answers the undo.
fn struck(
    host: &FakeHost,
    fault: &mut ResourceExhaustion,
    script: &str,
    arguments: &str,
    code: i32,
) -> (Result<Injected, InjectError>, Undo) {
    let strike = fault.aim().expect("an aim");
    let undo: Undo = serde_json::from_str(strike.undo.as_deref().expect("an undo")).expect("its own");
    let Undo { instance, mark, resource, .. } = &undo;
    if *resource == Resource::Memory {
        host.exec(instance, &format!("bash -c {} {mark}", inside::FIRST), ends(0));
    }
    host.exec(instance, format!("bash -c {script} {mark} {arguments}").trim_end(), ends(code));
    (fault.inject(&strike), undo)
}

/// Lets everything inside the web use so many thousandths of a processor, one time after the other.
fn uses<const N: usize>(host: &FakeHost, mark: &str, told: [&str; N]) {
    for used in told {
        let answer = ExecResult { exit_code: 0, stdout: format!("{used}\n"), stderr: String::new() };
        host.exec("web-0", &format!("bash -c {} {mark}", inside::USE), Ok(answer));
    }
}

#[test]
fn processor_time_is_gone_when_nearly_all_of_the_limit_is_used() {
    let host = one_web();
    let mut fault = fault(CPU);
    let (injected, Undo { mark, .. }) = struck(&host, &mut fault, inside::LOOPS, "3", 0);
    assert_eq!(injected.expect("a strike").means, "3 loops without end");
    uses(&host, &mark, ["1199", "1200"]);
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::NotYet, "web-0 used 1199m of 1500m"));
    assert!(!fault.recovered().expect("a recovery").complete);
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::Proven, "web-0 used 1200m of 1500m"));
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[0].name.as_str()), (true, "exhausted"));
}

#[test]
fn processor_time_that_nobody_used_is_no_effect() {
    let host = one_web();
    let mut fault = fault(CPU);
    let (_, Undo { mark, .. }) = struck(&host, &mut fault, inside::LOOPS, "3", 0);
    uses(&host, &mark, ["0", "much"]);
    host.pass(BITES_WITHIN);
    assert_eq!(fault.effect().expect("an impact").bite, Bite::Absent);
    let unknown = fault.effect().expect_err("no number").to_string();
    assert!(unknown.contains("web-0 uses \"much\\n\""), "{unknown}");
}

#[test]
fn memory_is_gone_when_it_was_started_anew_and_back_when_it_is_ready() {
    let host = one_web();
    let mut fault = fault(MEMORY);
    struck(&host, &mut fault, inside::FILL, "64", 0).0.expect("a strike");
    assert_eq!(fault.effect().expect("an impact").probed, "web-0 goes on");
    let mut again = fake::instance("web-0", "app=web");
    (again.restarts, again.state) = (1, InstanceState::Running);
    host.instance(again.clone());
    let impact = fault.effect().expect("an impact");
    assert_eq!(
        (impact.bite, impact.probed.as_str()),
        (Bite::Proven, "web-0 was started anew since: it was left no memory")
    );
    assert!(!fault.recovered().expect("a recovery").complete);
    again.state = InstanceState::Ready;
    host.instance(again);
    let recovery = fault.recovered().expect("a recovery");
    assert_eq!((recovery.complete, recovery.steps[1].detail.as_str()), (true, "web-0 is ready again"));
}

#[test]
fn what_has_no_limit_is_not_used_up() {
    let host = FakeHost::start();
    host.workload(fake::workload("web", "app=web", 1));
    host.instance(fake::instance("web-0", "app=web"));
    for (json, what) in [(CPU, "CPU"), (MEMORY, "memory")] {
        let because = format!("web-0 has no {what} limit, so it would be its node's");
        assert_eq!(fault(json).aim().expect_err("unbounded").text(), because);
        let forecast = fault(json).preview().expect("a forecast");
        assert_eq!(forecast.findings, [Finding::blocking(because)]);
    }
}

#[test]
fn connections_are_gone_when_a_new_one_is_refused() {
    let host = FakeHost::start();
    for (name, writes) in [("db-0", false), ("db-1", true)] {
        host.instance(fake::instance(name, "app=db"));
        host.sql(name, ACCEPTS_WRITES, fake::row([writes]));
    }
    let room = vec![Value::Integer("100".to_owned()), Value::Integer("40".to_owned()), "me".into()];
    host.sql("db-1", connections::ROOM, fake::rows(&["most", "taken", "user"], vec![room]));
    host.sql("db-1", "select 1", fake::row([true]));
    let mut fault = fault(CONNECTIONS);
    let greeting = "\\000\\000\\000\\043\\000\\003\\000\\000\\165\\163\\145\\162\\000\\155\\145\\000\\144\\141\\164\
                    \\141\\142\\141\\163\\145\\000\\160\\157\\163\\164\\147\\162\\145\\163\\000\\000";
    let arguments = format!("63 10.0.0.1 5432 {greeting}");
    let (injected, undo) = struck(&host, &mut fault, inside::CONNECT, &arguments, 0);
    assert_eq!(injected.expect("a strike").means, "63 connections beside the 40 of 100 that there were");
    assert_eq!(undo.instance, "db-1", "a standby is no victim");
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::NotYet, "db-1 takes new connections"));
    let refused = "sorry, too many clients already (SQLSTATE 53300)";
    host.sql_now("db-1", "select 1", Err(Failure::Unreachable("db-1:5432: refused".to_owned())));
    assert_eq!(fault.effect().expect("an impact").bite, Bite::NotYet, "it may be down");
    host.sql_now("db-1", "select 1", Err(Failure::Unreachable(refused.to_owned())));
    let impact = fault.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::Proven, "db-1 refuses new connections"));
    assert!(fault.recovered().expect("a recovery").complete);
}

#[test]
fn what_is_left_inside_is_ended_as_often_as_it_takes() {
    let host = one_web();
    let (_, undo) = struck(&host, &mut fault(CPU), inside::LOOPS, "3", 0);
    let mark = undo.mark.clone();
    let undo = serde_json::to_string(&undo).expect("JSON");
    let end = format!("bash -c {} {mark}", inside::END);
    host.exec("web-0", &end, ends(0));
    host.exec("web-0", &end, ends(1));
    // By another process, which has neither aimed nor struck.
    fault(CPU).revert(&undo).expect("it is ended");
    let failure = fault(CPU).revert(&undo).expect_err("something is left");
    assert_eq!(failure.text(), "a script inside web-0 ended with exit code 1: no bash");

    host.forget_calls();
    let mut down = fake::instance("web-0", "app=web");
    down.state = InstanceState::Pending;
    host.instance(down);
    fault(CPU).revert(&undo).expect("what was left in it ended with it");
    assert_eq!(host.calls(), ["cluster.instances app=web"]);
}

#[test]
fn what_was_to_be_ended_first_is_so_no_more() {
    let host = one_web();
    let (_, undo) = struck(&host, &mut fault(MEMORY), inside::FILL, "64", 0);
    let mark = &undo.mark;
    host.exec("web-0", &format!("bash -c {} {mark}", inside::END), ends(0));
    host.exec("web-0", &format!("bash -c {} {mark}", inside::AS_BEFORE), ends(0));
    host.forget_calls();
    fault(MEMORY).revert(&serde_json::to_string(&undo).expect("JSON")).expect("it is put back");
    assert!(host.calls().last().is_some_and(|call| call.contains(inside::AS_BEFORE)), "{:?}", host.calls());
}

#[test]
fn a_disk_is_gone_when_it_takes_no_more_and_is_given_back() {
    let host = one_web();
    let mut fault = fault(DISK);
    has_room(&host, "1048576");
    let (injected, undo) = struck(&host, &mut fault, inside::OCCUPY, "/scratch 2097152", 0);
    assert_eq!(injected.expect("a strike").means, "/scratch filled, which had room for 1Mi");
    let mark = &undo.mark;
    let one_more = format!("bash -c {} {mark} /scratch", inside::ONE_MORE);
    let refused =
        |stderr: &str| ExecResult { exit_code: 1, stdout: String::new(), stderr: stderr.to_owned() };
    host.exec("web-0", &one_more, ends(0));
    host.exec("web-0", &one_more, Ok(refused("bash: line 1: printf: write error: No space left on device")));
    for (bite, probed) in [
        (Bite::NotYet, "/scratch of web-0 takes another byte"),
        (Bite::Proven, "/scratch of web-0 takes nothing more: No space left on device"),
    ] {
        let impact = fault.effect().expect("an impact");
        assert_eq!((impact.bite, impact.probed.as_str()), (bite, probed));
    }
    assert!(fault.recovered().expect("a recovery").complete);

    // By another process, and not while nothing runs in which it could be done.
    let text = serde_json::to_string(&undo).expect("JSON");
    host.exec("web-0", &format!("bash -c {} {mark} /scratch", inside::VACATE), ends(0));
    self::fault(DISK).revert(&text).expect("it is given back");
    let mut down = fake::instance("web-0", "app=web");
    down.state = InstanceState::Pending;
    host.instance(down);
    let failure = self::fault(DISK).revert(&text).expect_err("it cannot be done");
    assert_eq!(failure.text(), "web-0 does not run, so /scratch cannot be given back");
}

#[test]
fn a_disk_that_is_the_nodes_is_left_alone() {
    let host = one_web();
    has_room(&host, "107374182400");
    let because =
        "web-0 has room for 100Gi at /scratch, more than the 2Mi that may be written: it would be its node's";
    assert_eq!(fault(DISK).aim().expect_err("unbounded").text(), because);
}

#[test]
fn one_that_changed_since_the_aim_is_stale_and_nothing_runs() {
    let host = one_web();
    let mut fault = fault(MEMORY);
    let strike = fault.aim().expect("an aim");
    let mut again = fake::instance("web-0", "app=web");
    again.restarts = 1;
    host.instance(again);
    assert!(matches!(fault.inject(&strike), Err(InjectError::Stale(_))));
    assert!(host.calls().iter().all(|call| !call.starts_with("cluster.exec")));
}

#[test]
fn what_cannot_run_inside_is_said() {
    let host = one_web();
    let (injected, _) = struck(&host, &mut fault(CPU), inside::LOOPS, "3", 127);
    let because = Failure::other("a script inside web-0 ended with exit code 127: no bash");
    assert_eq!(injected, Err(InjectError::Failed(because)));
}

#[test]
fn a_disk_has_a_path_and_a_bound() {
    let errors = |json: &str| ResourceExhaustion::validate(&assay_sdk::config::read(json).expect("a config"));
    assert_eq!(errors(DISK), []);
    let missing = errors(r#"{"selector": "app=web", "resource": "disk"}"#);
    assert_eq!(
        missing,
        [ConfigError::at("", "a disk is filled at a path, and to a bound: `disk` is missing")]
    );
    let wrong = errors(&DISK.replace("/scratch", "../scratch").replace("2Mi", "0"));
    let wrong: Vec<_> = wrong.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(wrong, ["/disk/path", "/disk/at-most"]);
    assert_eq!(
        errors(&DISK.replace(r#""disk","#, r#""cpu","#)),
        [ConfigError::at("/disk", "allowed for disk only")]
    );
}

#[test]
fn a_database_is_for_connections() {
    let errors = |json: &str| ResourceExhaustion::validate(&assay_sdk::config::read(json).expect("a config"));
    let missing = errors(r#"{"selector": "app=db", "resource": "connections"}"#);
    assert_eq!(missing, [ConfigError::at("", "connections are a database's: `database` is missing")]);
    let beside = errors(&CONNECTIONS.replace("connections", "cpu"));
    assert_eq!(beside, [ConfigError::at("/database", "allowed for connections only")]);
    assert_eq!(errors(CONNECTIONS), []);
}
