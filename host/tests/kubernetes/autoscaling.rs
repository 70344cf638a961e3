//! The deployed shop under a load that needs ten of its web instances, and then three again, which is the cluster's own
//! autoscaler's to see.

use std::time::Duration;

use assay::environment::Environment;
use serde_json::Value;

use crate::{
    kit::until,
    runs::assert_passed,
    shop::Shop,
    support::{finish, summary, text},
};

const CONFIG: &str = "config/extreme-small.toml";

/// As long as ten take to come. Until seven are gone again, the run waits by itself.
const SHORTENED: [&str; 2] = ["phases.0.duration=20s", "phases.1.duration=2m30s"];

/// What the assertion judges, in its words.
const JUDGED: [&str; 4] = [
    "web: up to 10 ready",
    "web: p95 back inside its bound",
    "web: back down to 3",
    "web: changes of direction",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-kubernetes"]
async fn three_become_ten_and_three_again() {
    let shop = Shop::open().await;
    let mut command = shop.host("run", CONFIG);
    command.args(SHORTENED.into_iter().flat_map(|one| ["--set", one]));
    let output = finish(&mut command, Duration::from_secs(600));
    let summary = summary(&shop.directory());
    assert_passed(&output, &summary);
    let promises = summary["promises"].as_array().expect("promises");
    let of_it = promises.iter().filter(|promise| promise["assertion"] == "autoscaling");
    let judged: Vec<_> = of_it.map(|promise| promise["subject"].clone()).collect();
    assert_eq!(judged, JUDGED.map(Value::from), "{}", text(&output));
    until("three are left", async || {
        let web = shop.kubernetes.instances(&"app=web".parse().expect("a selector")).await;
        web.is_ok_and(|web| web.len() == 3)
    })
    .await;
    shop.assert_untouched().await;
}
