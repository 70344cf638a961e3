//! The lab, for real: namespaces, control groups, processes. Needs root and the root file system of
//! the stack `tiny`; `make test` sees to both.

mod conformance;
#[path = "lab/kit.rs"]
mod kit;

use std::time::Duration;

use assay::{
    environment::{Direction, Environment, EnvironmentError, InstanceState, Manner, Quota, lab::Lab},
    observe::{Fact, InstanceEvent},
};
use kit::{Up, all, fetch, get, instance, run, selector, start, start_text, uid, until};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_starts_in_order_and_can_be_reached() {
    let (lab, _turn) = start().await;
    let instances = lab.instances(&all()).await.expect("instances");
    let names: Vec<_> = instances.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["store-0", "front-0", "front-1"]);
    assert!(instances.iter().all(|one| one.state == InstanceState::Ready));
    // The front waited for the store.
    assert!(instances[0].started < instances[1].started, "{instances:?}");
    assert_eq!(get(&lab, &lab.base_url(), "/hostname"), Ok("front-0".to_owned()));

    let output = run(&lab, "store-0", &["id", "-un"]).await.expect("run");
    assert_eq!((output.exit_code, output.stdout.as_str()), (0, "daemon\n"));
    let output = run(&lab, "store-0", &["sh", "-c", "echo no >&2; exit 7"]).await.expect("run");
    assert_eq!((output.exit_code, output.stderr.as_str()), (7, "no\n"));
    let slow = lab.exec("store-0", &["sleep".into(), "60".into()], Duration::from_millis(300)).await;
    assert!(matches!(slow, Err(EnvironmentError::TimedOut(_))), "{slow:?}");
    // The instance sees its own processes, its own files, and nothing that it may not write.
    let seen =
        run(&lab, "store-0", &["sh", "-c", "ls /proc | grep -c '^[0-9]'; touch /usr/x"]).await.expect("run");
    assert!(seen.stdout.trim().parse::<u32>().is_ok_and(|count| count < 10), "{seen:?}");
    assert!(seen.stderr.contains("Permission denied"), "{seen:?}");

    // What it printed can be quoted, without the secret that it printed.
    let tail = lab.tail("store-0", 5).await.expect("a log");
    assert_eq!(tail, "the key is [redacted]");
    assert_eq!(lab.secret("key").await.expect("made up").len(), 32);

    let workloads = lab.workloads(&selector("app=later")).await.expect("workloads");
    assert!(workloads[0].declared_only && workloads[0].running == 0);
    lab.close().await.expect("closed");
    assert_eq!(kit::left_of(lab.id()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_does_what_every_environment_must() {
    let (lab, _turn) = start().await;
    conformance::conforms(&lab, conformance::Traits { patience: SOON, power: true }).await;
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_at_rest_takes_next_to_no_processor_time() {
    // An instance without a readiness check once kept the loop of lab-init going round without a pause.
    let text = std::fs::read_to_string(kit::TINY).expect("the stack");
    let unchecked = text.replace(r#"ready = { exec = ["test", "-s", "/data/kept"] }"#, "");
    assert_ne!(text, unchecked);
    let (lab, _turn) = start_text(&unchecked).await.expect("a lab starts");
    lab.wait_ready(SOON).await.expect("ready");
    let (before, watched) = (kit::processor_time(lab.init()), Duration::from_secs(2));
    tokio::time::sleep(watched).await;
    let used = kit::processor_time(lab.init()) - before;
    assert!(used < watched / 10, "lab-init used {used:?} of {watched:?}");
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_instances_come_back_unless_they_are_held() {
    let (lab, _turn) = start().await;
    let mut events = lab.stream().subscribe();

    // It ends by itself: the supervisor brings it back, with a new uid.
    let before = uid(&lab, "front-0").await;
    let _gone = run(&lab, "front-0", &["busybox", "kill", "-9", "2"]).await;
    until("front-0 is back", async || uid(&lab, "front-0").await != before).await;
    lab.wait_ready(SOON).await.expect("ready again");

    // Held: it stays away, and its address refuses.
    let now = uid(&lab, "front-0").await;
    let stale = lab.terminate("front-0", &before, Manner::Crash, true).await;
    assert!(matches!(stale, Err(EnvironmentError::Conflict(_))), "{stale:?}");
    lab.terminate("front-0", &now, Manner::Crash, true).await.expect("crashed");
    let ended = instance(&lab, "front-0").await;
    assert_eq!(ended.state, InstanceState::Ended);
    assert!(get(&lab, &lab.base_url(), "/hostname").is_err_and(|error| error.contains("refused")));
    lab.release("front-0").await.expect("released");
    lab.wait_ready(SOON).await.expect("ready again");
    lab.release("front-0").await.expect("released twice is fine");

    // Asked to end: in order, and back at once.
    let now = uid(&lab, "front-1").await;
    lab.terminate("front-1", &now, Manner::Graceful, false).await.expect("asked");
    until("front-1 is back", async || uid(&lab, "front-1").await != now).await;

    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Fact::Instance(change) = &event.fact
            && change.instance == "front-0"
        {
            seen.push(change.change);
        }
    }
    use InstanceEvent::{Exited, Held, Ready, Released, Started};
    // On a machine that is busy with other things it may miss a probe later on.
    seen.truncate(8);
    assert_eq!(seen, [Exited, Started, Ready, Held, Exited, Released, Started, Ready]);
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_hangs_and_goes_on() {
    let (lab, _turn) = start().await;
    let now = uid(&lab, "front-0").await;
    lab.terminate("front-0", &now, Manner::Freeze, false).await.expect("frozen");
    // It is still there, its port takes connections, and nothing answers.
    let hung = get(&lab, &lab.base_url(), "/hostname").expect_err("nothing answers");
    assert!(hung.contains("timed out") || hung.contains("unavailable"), "{hung}");
    until("front-0 is not ready", async || instance(&lab, "front-0").await.state == InstanceState::Running)
        .await;
    lab.release("front-0").await.expect("released");
    lab.wait_ready(SOON).await.expect("ready again");
    assert_eq!(uid(&lab, "front-0").await, now, "it went on, it was not restarted");
    // Frozen instances can be ended, and do not outlive their lab.
    lab.terminate("front-1", &uid(&lab, "front-1").await, Manner::Freeze, false).await.expect("frozen");
    lab.terminate("store-0", &uid(&lab, "store-0").await, Manner::Freeze, false).await.expect("frozen");
    lab.terminate("front-1", &uid(&lab, "front-1").await, Manner::Crash, true).await.expect("crashed");
    lab.close().await.expect("closed");
    assert_eq!(kit::left_of(lab.id()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_cut_and_healed() {
    let (lab, _turn) = start().await;
    assert_eq!(fetch(&lab, "front-0", "front-1").await, Some("front-1".to_owned()));
    let (victim, peer) = (selector("name=front-0"), selector("name=front-1"));
    lab.isolate("cut-1", &victim, Some(&peer), Direction::Both).await.expect("cut");
    assert_eq!(fetch(&lab, "front-0", "front-1").await, None);
    assert_eq!(fetch(&lab, "front-1", "front-0").await, None);
    // Everyone else still gets through.
    assert_eq!(get(&lab, &lab.base_url(), "/hostname"), Ok("front-0".to_owned()));

    lab.isolate("cut-2", &victim, None, Direction::Both).await.expect("cut");
    assert!(get(&lab, &lab.base_url(), "/hostname").is_err());
    lab.heal("cut-2").await.expect("healed");
    assert_eq!(get(&lab, &lab.base_url(), "/hostname"), Ok("front-0".to_owned()));
    assert_eq!(fetch(&lab, "front-0", "front-1").await, None, "the other cut stays");
    lab.heal("cut-1").await.expect("healed");
    lab.heal("cut-1").await.expect("healed twice is fine");
    assert_eq!(fetch(&lab, "front-0", "front-1").await, Some("front-1".to_owned()));
    let nobody = lab.isolate("cut-3", &selector("app=nobody"), None, Direction::Both).await;
    assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_node_loses_what_can_move_and_gets_back_what_cannot() {
    let (lab, _turn) = start().await;
    assert_eq!(instance(&lab, "store-0").await.node, "left");
    assert_eq!(instance(&lab, "front-1").await.node, "left");
    lab.fail_node("left").await.expect("failed");
    assert!(matches!(lab.fail_node("left").await, Err(EnvironmentError::Conflict(_))));
    assert!(!lab.nodes().await.expect("nodes")[0].ready);
    // A powered-off machine says nothing at all.
    let silent = get(&lab, "http://10.77.1.1:8080", "/").expect_err("nobody is there");
    assert!(!silent.contains("refused"), "{silent}");
    until("front-1 has moved", async || {
        let moved = instance(&lab, "front-1").await;
        moved.node == "right" && moved.state == InstanceState::Ready
    })
    .await;
    assert_eq!(instance(&lab, "store-0").await.state, InstanceState::Pending);
    lab.restore_node("left").await.expect("restored");
    lab.restore_node("left").await.expect("restored twice is fine");
    lab.wait_ready(SOON).await.expect("ready again");
    assert_eq!(instance(&lab, "front-1").await.node, "right", "what has moved stays");
    let kept = run(&lab, "store-0", &["cat", "/data/kept"]).await.expect("run");
    assert_eq!(kept.stdout, "store-0 10.77.1.1\nstore-0 10.77.1.1\n", "its volume was kept");

    // Emptied in order, back to where there is room.
    lab.drain("right", SOON).await.expect("drained");
    assert!(lab.instances(&all()).await.expect("instances").iter().all(|one| one.node == "left"));
    let stuck = lab.drain("left", SOON).await;
    assert!(matches!(stuck, Err(EnvironmentError::Conflict(_))), "{stuck:?}");
    lab.set_schedulable("right", true).await.expect("uncordoned");
    assert!(lab.nodes().await.expect("nodes")[1].schedulable);
    lab.close().await.expect("closed");
}

/// Whoever had it drained may have died meanwhile, and nobody else would end it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_taken_back_into_use_is_not_emptied_further() {
    let (lab, _turn) = start().await;
    let taken_back = async {
        until("it is cordoned", async || !lab.nodes().await.expect("nodes")[0].schedulable).await;
        lab.set_schedulable("left", true).await.expect("uncordoned");
    };
    let (drained, ()) = tokio::join!(lab.drain("left", SOON), taken_back);
    let ended = drained.expect_err("it is not empty").to_string();
    assert_eq!(ended, "node 'left' was taken back into use while it was drained");
    lab.wait_ready(SOON).await.expect("all are ready again");
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_bounded_and_read() {
    let (lab, _turn) = start().await;
    let tier = selector("tier=data");
    let before = lab.quotas(&tier).await.expect("one group");
    assert_eq!((before[0].group.as_str(), before[0].quota), ("all", Quota::default()));
    assert!(before[0].capacity.cpu.is_some_and(|cpu| cpu >= 1000));
    let quota = Quota { cpu: Some(1500), memory: Some(128 << 20) };
    lab.set_quota("all", quota).await.expect("bounded");
    assert_eq!(lab.quotas(&tier).await.expect("one group")[0].quota, quota);

    lab.usage(&all()).await.expect("a first reading");
    let usage = lab.usage(&all()).await.expect("a reading");
    let subjects: Vec<_> = usage.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, ["store-0", "front-0", "front-1", "(group) all"]);
    assert!(usage.iter().all(|one| one.memory > 0), "{usage:?}");
    assert_eq!((usage[0].cpu_limit, usage[3].memory_limit), (Some(500), Some(128 << 20)));

    // An allocator beyond its limit is ended, and that is counted.
    let killed =
        run(&lab, "front-0", &["busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=128M", "count=1"]).await;
    assert_eq!(killed.expect("run").exit_code, 137);
    // A reading serves for a while, so this is in the next one.
    let front = selector("name=front-0");
    until("it is counted", async || lab.usage(&front).await.expect("a reading")[0].oom_kills > 0).await;

    lab.set_quota("all", Quota::default()).await.expect("lifted");
    assert_eq!(lab.quotas(&tier).await.expect("one group")[0].quota, Quota::default());
    let refused = lab.quotas(&selector("app=front")).await;
    assert!(matches!(refused, Err(EnvironmentError::Conflict(_))), "{refused:?}");
    if kit::version_1() {
        let small = lab.set_quota("all", Quota { cpu: Some(100), memory: None }).await;
        assert!(
            small.as_ref().is_err_and(|error| error.to_string().contains("larger than its group's")),
            "{small:?}"
        );
    }

    lab.scale("front", 3).await.expect("scaled");
    lab.wait_ready(SOON).await.expect("three are ready");
    lab.scale("front", 1).await.expect("scaled");
    until("one is left", async || lab.instances(&selector("app=front")).await.expect("instances").len() == 1)
        .await;
    assert!(matches!(lab.scale("front", 4).await, Err(EnvironmentError::Invalid(_))));
    assert!(matches!(lab.scale("store", 2).await, Err(EnvironmentError::Unsupported(_))));
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_get_ready_is_quoted() {
    let stack = include_str!("stacks/tiny.toml")
        .replace("[\"test\", \"-s\", \"/data/kept\"]", "[\"test\", \"-s\", \"/never\"]");
    let (lab, turn) = start_text(&stack).await.expect("made");
    let reason = "store-0 is running, restarted 0 times: the readiness command ended with 1";
    until("it was asked", async || {
        lab.wait_ready(Duration::ZERO).await.is_err_and(|e| e.to_string().contains(reason))
    })
    .await;
    let error = lab.wait_ready(Duration::from_secs(1)).await.expect_err("never ready").to_string();
    assert!(error.contains("| the key is [redacted]"), "{error}");
    assert!(error.contains("front-0 is pending, restarted 0 times: waits for store"), "{error}");
    lab.close().await.expect("closed");
    drop(turn);

    let stack = stack.replace("\"sh\", \"/config/store.sh\"", "\"no-such-program\"");
    let (lab, _turn) = start_text(&stack).await.expect("made");
    until("its end is quoted", async || {
        let error = lab.wait_ready(Duration::ZERO).await.expect_err("never ready").to_string();
        error.contains("ended with status 127") && error.contains("| no-such-program: No such file")
    })
    .await;
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_the_host_is_killed() {
    let mut up = Up::start().await;
    let facts = up.facts().await;
    assert!(facts.processes.len() >= 8, "{facts:?}");
    up.host.kill().await.expect("killed");
    let begun = std::time::Instant::now();
    until("nothing is left", async || facts.left().is_empty()).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_warden_cleans_up_when_lab_init_is_killed() {
    let mut up = Up::start().await;
    let facts = up.facts().await;
    kit::signal("KILL", facts.init);
    let status = up.host.wait().await.expect("it ends");
    assert!(!status.success());
    until("nothing is left", async || facts.left().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_start_sweeps_what_killed_processes_left() {
    let mut up = Up::start().await;
    let facts = up.facts().await;
    // Everything that could clean up is stopped before lab-init is killed, and never goes on.
    let host = up.host.id().expect("it runs").cast_signed();
    kit::signal("STOP", host);
    kit::signal("STOP", facts.warden);
    kit::signal("KILL", facts.init);
    until("the processes are gone", async || facts.processes_left().is_empty()).await;
    kit::signal("KILL", facts.warden);
    up.host.kill().await.expect("killed");
    until("the namespaces are gone", async || facts.namespaces_left().is_empty()).await;
    assert!(!kit::left_of(&facts.id).is_empty(), "control groups and data are still there");

    let turn = up.turn();
    let (lab, _turn) = kit::start_in_turn(turn).await;
    assert_eq!(kit::left_of(&facts.id), Vec::<String>::new());
    lab.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_is_kept_up_for_others() {
    let mut up = Up::start().await;
    let status = up.command(&["lab", "status"]).await;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.lines().any(|line| line.contains("front-1") && line.contains("ready")), "{text}");
    let exec = up.command(&["lab", "exec", "front-1", "--", "sh", "-c", "cat /etc/hostname; exit 5"]).await;
    assert_eq!((exec.status.code(), exec.stdout.as_slice()), (Some(5), b"front-1\n".as_slice()));
    let second = up.command(&["lab", "up", kit::TINY]).await;
    assert!(String::from_utf8_lossy(&second.stderr).contains("already up"), "{second:?}");

    // Attached ones see events and secrets, and their end is not the lab's.
    let lab = up.attach().await;
    assert_eq!(lab.secret("key").await.expect("made up").len(), 32);
    let mut events = lab.stream().subscribe();
    let now = uid(&lab, "front-0").await;
    lab.terminate("front-0", &now, Manner::Crash, false).await.expect("crashed");
    until("the crash was told", async || {
        std::iter::from_fn(|| events.try_recv().ok()).any(
            |event| matches!(&event.fact, Fact::Instance(change) if change.change == InstanceEvent::Exited),
        )
    })
    .await;
    lab.close().await.expect("detached");
    drop(lab);
    let lab: Lab = up.attach().await;
    lab.wait_ready(SOON).await.expect("it is still up");
    lab.claim("first").await.expect("nobody uses it");
    let other: Lab = up.attach().await;
    let refused = other.claim("second").await.expect_err("it is in use");
    assert!(refused.to_string().contains("run first is using the lab"), "{refused}");
    // Whoever is gone uses it no more, whatever of his is still under way.
    let slow = ["sleep", "60"].map(str::to_owned);
    let asked = lab.exec("front-0", &slow, Duration::from_secs(60));
    assert!(tokio::time::timeout(Duration::from_millis(200), asked).await.is_err(), "it takes a minute");
    drop(lab);
    until("it is free again", async || other.claim("second").await.is_ok()).await;
    drop(other);

    let facts = up.facts().await;
    let down = up.command(&["lab", "down"]).await;
    assert!(down.status.success(), "{down:?}");
    // Another one may be started at once.
    assert_eq!(facts.left(), Vec::<String>::new());
    let none = up.command(&["lab", "status"]).await;
    assert_eq!(none.status.code(), Some(3), "{none:?}");
    assert!(up.host.wait().await.expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_follows_what_its_instances_use() {
    let autoscale = r#"autoscale = { min = 1, max = 3, target-utilization = { cpu = 70 }, scale-down = { stabilization-window = "2s" } }"#;
    let stack = include_str!("stacks/tiny.toml")
        .replace("scalable = { min = 1, max = 3 }", autoscale)
        .replace("[rootfs]", "[autoscaler]\nsync-period = \"1s\"\n\n[rootfs]");
    assert!(stack.contains("target-utilization") && stack.contains("sync-period"));
    let (lab, _turn) = start_text(&stack).await.expect("made");
    let mut events = lab.stream().subscribe();
    lab.wait_ready(SOON).await.expect("ready");
    let front = async || {
        let found = lab.workloads(&selector("app=front")).await.expect("workloads");
        (found[0].desired, found[0].ready)
    };
    // Two at rest are one too many. What stays is the way in.
    until("one is left", async || front().await == (1, 1)).await;
    assert_eq!(get(&lab, &lab.base_url(), "/hostname"), Ok("front-0".to_owned()));
    let busy = ["timeout", "6", "sh", "-c", "while :; do :; done"];
    let (ended, ()) =
        tokio::join!(run(&lab, "front-0", &busy), until("there are three", async || front().await == (3, 3)));
    ended.expect("it ran");
    until("one is left again", async || front().await == (1, 1)).await;

    // Set to none it is switched off, and on again by whoever sets another count.
    lab.scale("front", 0).await.expect("scaled");
    until("none is left", async || front().await == (0, 0)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(front().await, (0, 0), "three syncs later it is still switched off");
    lab.scale("front", 3).await.expect("scaled");
    until("it is scaled again", async || front().await == (1, 1)).await;

    let mut sizes = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Fact::Rescaled { autoscaler, size, because } = &event.fact {
            assert_eq!(autoscaler, "front");
            sizes.push((*size, because.clone()));
        }
    }
    let up = "cpu resource utilization (percentage of request) above target";
    assert!(sizes.iter().any(|(size, because)| *size == 3 && because.starts_with(up)), "{sizes:?}");
    assert!(
        sizes.iter().any(|(size, because)| *size == 1 && because == "all metrics below target"),
        "{sizes:?}"
    );
    lab.close().await.expect("closed");
}
