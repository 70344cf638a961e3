//! The audit lists what the database holds, completely and in order.

use std::collections::BTreeSet;

use crate::browser::Browser;
use crate::platform::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_pages_through_all_references() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;
    browser.create("ONE", 100).await;

    // Byte order differs from the order of words: capitals first, and signs between.
    let references: BTreeSet<String> =
        (0..23).map(|n| format!("run.{}{n}", ["a", "A", "-", "_"][n % 4])).collect();
    for reference in &references {
        assert_eq!(browser.sell(reference, &[("ONE", 1)]).await.status, 201);
    }
    assert_eq!(browser.sell("other", &[("ONE", 1)]).await.status, 201);

    let mut found = Vec::new();
    let mut after = String::new();
    let mut pages = 0;
    loop {
        let page = browser.get(&format!("/audit/sales/?prefix=run.&after={after}&limit=5")).await.json();
        pages += 1;
        let listed = page["references"].as_array().expect("a list");
        found.extend(listed.iter().map(|r| r.as_str().expect("text").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, 5);
    assert_eq!(found, references.into_iter().collect::<Vec<_>>());

    let whole = browser.get("/audit/sales/").await.json();
    let whole = whole["references"].as_array().expect("a list");
    assert_eq!(whole.len(), 300 + 23 + 1, "the seeded past is there, too");
}
