use assay_sdk::cluster::Workload;
use assay_sdk::config;
use assay_sdk::fake::{self, FakeHost};
use assay_sdk::fault::{Bite, Severity};

use super::*;

const MI: u64 = 1 << 20;

/// The shop as it runs on a VPS: 3350m and 4608Mi in all.
fn shop() -> FakeHost {
    let host = FakeHost::start();
    for (name, count, cpu, memory) in [
        ("nginx", 1, 250, 256),
        ("web", 2, 500, 512),
        ("worker", 1, 400, 512),
        ("pgbouncer", 2, 250, 128),
        ("postgres", 2, 500, 1024),
        ("redis", 2, 100, 256),
    ] {
        host.workload(Workload {
            cpu_request: Some(cpu),
            memory_request: Some(memory * MI),
            declared_only: name == "worker",
            ..fake::workload(name, "tier=app", count)
        });
    }
    host.workload(Workload {
        group: Some("support".to_owned()),
        ..fake::workload("grafana", "tier=support", 1)
    });
    host.group("app", Quota { cpu: Some(8000), memory: Some(16384 * MI) });
    host
}

fn vps(memory: &str, cpu: u32, more: &str) -> VpsQuota {
    let json = format!(r#"{{"memory": "{memory}", "cpu": {cpu}, "applies-to": "tier=app" {more}}}"#);
    let config: Config = config::read(&json).expect("a config");
    assert_eq!(config.errors(), []);
    VpsQuota::new(config)
}

const OVERCOMMIT: &str = r#", "overcommit": {"cpu": 1.25, "memory": 1.0}"#;

fn findings(vps: &mut VpsQuota) -> Vec<(Severity, String)> {
    let forecast = vps.preview().expect("a forecast");
    forecast.findings.into_iter().map(|it| (it.severity, it.message)).collect()
}

#[test]
fn the_arithmetic_of_three_sizes() {
    let _host = shop();
    for (memory, cpu, cpu_finding, memory_finding) in [
        (
            "4Gi",
            2,
            (Severity::Blocking, "CPU requests 3350m of 2000m: 167.5 % (allowed 125 %)"),
            (Severity::Blocking, "memory requests 4608Mi of 4096Mi: 112.5 %"),
        ),
        (
            "6Gi",
            3,
            (Severity::Warning, "CPU requests 3350m of 3000m: 111.7 % (allowed 125 %)"),
            (Severity::Note, "memory requests 4608Mi of 6144Mi: 75 %"),
        ),
        (
            "8Gi",
            4,
            (Severity::Note, "CPU requests 3350m of 4000m: 83.8 % (allowed 125 %)"),
            (Severity::Note, "memory requests 4608Mi of 8192Mi: 56.3 %"),
        ),
    ] {
        let findings = findings(&mut vps(memory, cpu, OVERCOMMIT));
        assert_eq!((findings[0].0, findings[0].1.as_str()), cpu_finding);
        assert_eq!((findings[1].0, findings[1].1.as_str()), memory_finding);
        assert_eq!(
            findings[2],
            (
                Severity::Note,
                "counted, but declared only and not running here: worker 1 × 400m, 512Mi".to_owned()
            )
        );
        assert_eq!(findings.len(), 3);
    }
}

#[test]
fn without_overcommit_nothing_above_the_whole_is_allowed() {
    let _host = shop();
    let findings = findings(&mut vps("6Gi", 3, ""));
    assert_eq!(findings[0], (Severity::Blocking, "CPU requests 3350m of 3000m: 111.7 %".to_owned()));
}

#[test]
fn what_asks_for_exactly_what_there_is_fits() {
    let _host = shop();
    let findings = findings(&mut vps("4608Mi", 3, r#", "overcommit": {"memory": 0.75}"#));
    assert_eq!(
        findings[1],
        (Severity::Blocking, "memory requests 4608Mi of 4608Mi: 100 % (allowed 75 %)".to_owned())
    );
    let findings = self::findings(&mut vps("4608Mi", 3, ""));
    assert_eq!(findings[1], (Severity::Note, "memory requests 4608Mi of 4608Mi: 100 %".to_owned()));
}

#[test]
fn observing_never_blocks_and_changes_nothing() {
    let host = shop();
    let mut vps = vps("4Gi", 2, r#", "mode": "observe", "scale": {"grafana": 0}"#);
    assert_eq!(findings(&mut vps)[0].0, Severity::Warning);
    host.forget_calls();
    let strike = vps.aim().expect("a strike");
    vps.inject(&strike).expect("injected");
    assert_eq!(vps.effect().expect("an impact").bite, Bite::Proven);
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn off_does_not_even_compute() {
    let host = shop();
    let mut vps = vps("4Gi", 2, r#", "mode": "off""#);
    assert_eq!(findings(&mut vps), []);
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn a_quota_larger_than_the_machine_is_a_finding() {
    let _host = shop();
    let findings = findings(&mut vps("32Gi", 16, ""));
    assert!(findings.iter().all(|(severity, _)| *severity != Severity::Blocking));
    assert_eq!(findings[3].1, "CPU: not binding, 16000m is more than the 8000m that there are");
    assert_eq!(findings[4].1, "memory: not binding, 32768Mi is more than the 16384Mi that there are");
}

#[test]
fn scaled_counts_are_what_is_computed_with() {
    let _host = shop();
    let mut vps = vps("6Gi", 3, r#", "scale": {"postgres": 1, "redis": 0, "prometheus": 0}"#);
    let forecast = vps.preview().expect("a forecast");
    assert_eq!(forecast.findings[0].message, "CPU requests 2650m of 3000m: 88.3 %");
    assert_eq!(forecast.findings[3].message, "there is no workload prometheus to scale");
    assert_eq!(forecast.actions, ["scale postgres to 1", "scale redis to 0", "bound app to 3 CPU, 6144Mi"]);
}

#[test]
fn enforcing_scales_then_bounds_and_reads_back() {
    let host = shop();
    let mut vps = vps("6Gi", 3, r#", "scale": {"grafana": 0}"#);
    let strike = vps.aim().expect("a strike");
    assert_eq!(strike.victims[0].name, "app");
    host.forget_calls();
    let injected = vps.inject(&strike).expect("injected");
    assert_eq!(injected.means, "grafana scaled to 0, limits set on app: 3 CPU, 6144Mi");
    assert_eq!(
        host.calls(),
        [
            "cluster.workloads name=grafana",
            "cluster.scale grafana 0",
            "cluster.set-quota tier=app cpu=3000 memory=6442450944",
        ]
    );
    let impact = vps.effect().expect("an impact");
    assert_eq!((impact.bite, impact.probed.as_str()), (Bite::Proven, "limits read back: app: 3 CPU, 6144Mi"));
    assert!(vps.recovered().expect("a recovery").complete);
}

#[test]
fn a_bound_that_is_not_there_is_absent() {
    let _host = shop();
    assert_eq!(vps("6Gi", 3, "").effect().expect("an impact").bite, Bite::Absent);
}

#[test]
fn a_refused_quota_is_a_failed_strike() {
    let host = shop();
    let mut vps = vps("6Gi", 3, "");
    let strike = vps.aim().expect("a strike");
    host.refuse_next(Failure::Conflict("a child's limit is above it".to_owned()));
    assert!(matches!(vps.inject(&strike), Err(InjectError::Failed(Failure::Conflict(_)))));
}

#[test]
fn workloads_without_requests_are_named() {
    let host = shop();
    host.workload(fake::workload("cron", "tier=app", 1));
    let findings = findings(&mut vps("8Gi", 4, ""));
    assert_eq!(findings[3].1, "without a request, and so not in the arithmetic: cron");
    host.workload(Workload { cpu_request: Some(100), ..fake::workload("mail", "tier=app", 1) });
    let findings = self::findings(&mut vps("8Gi", 4, ""));
    assert_eq!(findings[3].1, "without a request, and so not in the arithmetic: cron, mail");
}

#[test]
fn what_is_scaled_to_nothing_asks_for_nothing() {
    let host = shop();
    host.workload(fake::workload("cron", "tier=app", 1));
    let findings = findings(&mut vps("8Gi", 4, r#", "scale": {"worker": 0, "cron": 0}"#));
    assert_eq!(findings.len(), 2, "neither is counted, and neither is named: {findings:?}");
    assert_eq!(findings[0].1, "CPU requests 2950m of 4000m: 73.8 %");
}

#[test]
fn a_config_without_a_bound_is_refused() {
    let config: Config = config::read(r#"{"applies-to": "tier=app"}"#).expect("JSON");
    assert_eq!(config.errors()[0].pointer, "");
}
