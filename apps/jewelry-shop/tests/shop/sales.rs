//! Sales under contention.

use futures::future::join_all;

use crate::browser::{Answer, Browser};
use crate::platform::Platform;

/// Sells at the same time from as many tills as there are orders.
async fn sell_at_once(browser: &Browser, orders: &[(String, Vec<(&str, i32)>)]) -> Vec<Answer> {
    join_all(orders.iter().map(async |(reference, items)| {
        let mut till = browser.clone();
        till.sell(reference, items).await
    }))
    .await
}

fn count(answers: &[Answer], status: u16, text: &str) -> usize {
    answers.iter().filter(|answer| answer.status == status && answer.body.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_never_oversold() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;
    browser.create("LEFT", 20).await;
    browser.create("RIGHT", 1_000).await;

    // Half of the tills name the pieces the other way round: no order of locks may block.
    let orders: Vec<_> = (0..40)
        .map(|n| {
            let mut items = vec![("LEFT", 1), ("RIGHT", 2)];
            if n % 2 == 0 {
                items.reverse();
            }
            (format!("rush-{n:02}"), items)
        })
        .collect();
    let answers = sell_at_once(&browser, &orders).await;
    assert_eq!(count(&answers, 201, "rush-"), 20, "{answers:#?}");
    assert_eq!(count(&answers, 409, "out-of-stock"), 20, "{answers:#?}");
    assert!(answers.iter().all(|answer| match answer.status {
        201 => answer.outcome.as_deref() == Some("recorded"),
        _ => answer.outcome.as_deref() == Some("refused"),
    }));
    assert_eq!(browser.stock("LEFT").await, 0);
    assert_eq!(browser.stock("RIGHT").await, 960, "who got no LEFT got no RIGHT either");

    // Sold out or not: a sale that was recorded is reported as such when asked for again.
    let (again, _) = orders.iter().zip(&answers).find(|(_, a)| a.status == 201).expect("some were");
    let repeated = browser.sell(&again.0, &again.1).await;
    assert_eq!((repeated.status, repeated.outcome.as_deref()), (409, Some("recorded")));
    assert_eq!(repeated.json()["error"], "duplicate-reference");

    let books = platform
        .sql(
            "SELECT count(*) FROM sales JOIN payments ON sale_id = sales.id AND amount_cents = total_cents
             WHERE reference LIKE 'rush-%' AND total_cents = 3000
               AND 2 = (SELECT count(*) FROM sale_items WHERE sale_id = sales.id)",
        )
        .await;
    assert_eq!(books, ["20"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_recorded_once() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;
    browser.create("ONE", 100).await;

    let orders = vec![("twice".to_owned(), vec![("ONE", 3)]); 12];
    let answers = sell_at_once(&browser, &orders).await;
    assert_eq!(count(&answers, 201, "3000"), 1, "{answers:#?}");
    assert_eq!(count(&answers, 409, "duplicate-reference"), 11, "{answers:#?}");
    assert!(answers.iter().all(|answer| answer.outcome.as_deref() == Some("recorded")));
    assert_eq!(browser.stock("ONE").await, 97);
    assert_eq!(browser.get("/pos/sales/twice/").await.between("id=\"total\">", "<"), "30.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_must_cover_the_total() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::of(&origin, "owner@aurum.example").await;
    browser.create("ONE", 5).await;
    let pay = |reference, tendered| {
        [
            ("reference", reference),
            ("sku", "ONE"),
            ("quantity", "2"),
            ("method", "cash"),
            ("tendered", tendered),
        ]
    };
    let short = browser.post("/pos/sales/", &pay("short", "19.99")).await;
    assert_eq!((short.status, short.outcome.as_deref()), (422, Some("refused")));
    assert_eq!(browser.post("/pos/sales/", &pay("enough", "50")).await.status, 201);
    assert_eq!(browser.stock("ONE").await, 3);
}
