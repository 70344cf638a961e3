//! Signing in as Django has it.

use crate::browser::{Browser, PASSWORD};
use crate::platform::Platform;

const OWNER: &str = "owner@aurum.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_and_out() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut browser = Browser::new(&origin);

    let turned_away = browser.get("/inventory/?page=2").await;
    assert_eq!(turned_away.status, 302);
    assert_eq!(turned_away.location.as_deref(), Some("/login/?next=%2Finventory%2F%3Fpage%3D2"));

    let page = browser.get("/login/?next=/pos/").await;
    assert_eq!(page.between("name=\"next\" value=\"", "\""), "/pos/");
    let before = browser.cookie("csrftoken").to_owned();
    assert_eq!(before.len(), 32);

    let wrong = browser.sign_in(OWNER, "wrong", "").await;
    assert_eq!(wrong.status, 200);
    assert!(wrong.body.contains("Please enter a correct username and password"));
    let nobody = browser.sign_in("nobody@aurum.example", PASSWORD, "").await;
    assert!(nobody.body.contains("Please enter a correct username and password"));

    let right = browser.sign_in(OWNER, PASSWORD, "/pos/").await;
    assert_eq!((right.status, right.location.as_deref()), (302, Some("/pos/")));
    let cookie = right.cookies.iter().find(|cookie| cookie.starts_with("sessionid=")).expect("set");
    assert!(cookie.contains("HttpOnly"), "{cookie}");
    assert_ne!(browser.cookie("csrftoken"), before, "the secret is renewed");

    for path in ["/dashboard/", "/inventory/", "/inventory/new/", "/pos/", "/customers/"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for path in ["/reports/sales/", "/reports/inventory/", "/accounting/", "/audit/sales/"] {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    assert_eq!(browser.get("/nowhere/").await.status, 404);

    let out = browser.post("/logout/", &[]).await;
    assert_eq!((out.status, out.location.as_deref()), (302, Some("/login/")));
    assert_eq!(browser.get("/dashboard/").await.status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_requests_are_refused() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;

    let mut stranger = Browser::new(&origin);
    let credentials = [("username", OWNER), ("password", PASSWORD)];
    assert_eq!(stranger.send("/login/", &credentials).await.status, 403, "no cookie, no token");
    stranger.get("/login/").await;
    assert_eq!(stranger.send("/login/", &credentials).await.status, 403, "no token");

    let mut browser = Browser::of(&origin, OWNER).await;
    let sale = [("reference", "forged"), ("sku", "AUR-RG-0001"), ("quantity", "1")];
    let forged = browser.send("/pos/sales/", &sale).await;
    assert_eq!((forged.status, forged.outcome.as_deref()), (403, Some("refused")));
    let foreign = stranger.cookie("csrftoken").to_owned();
    let forged = [("csrfmiddlewaretoken", foreign.as_str())];
    for path in ["/pos/sales/", "/inventory/new/", "/reports/sales/", "/logout/"] {
        assert_eq!(browser.send(path, &forged).await.status, 403, "{path}");
    }
    assert_eq!(browser.get("/audit/sales/?prefix=forged").await.json()["references"], serde_json::json!([]));

    let token = browser.get("/pos/").await;
    let token = token.between("name=\"csrfmiddlewaretoken\" value=\"", "\"").to_owned();
    let mut fields = sale.to_vec();
    fields.push(("csrfmiddlewaretoken", &token));
    assert_eq!(browser.send("/pos/sales/", &fields).await.status, 201, "a token from a page");

    browser.forget("sessionid");
    let unknown = browser.post("/pos/sales/", &sale).await;
    assert_eq!((unknown.status, unknown.outcome.as_deref()), (302, Some("refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_leads_to_no_other_site() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let answer = Browser::new(&origin).sign_in(OWNER, PASSWORD, next).await;
        assert_eq!(answer.location.as_deref(), Some("/dashboard/"), "{next}");
    }
}
