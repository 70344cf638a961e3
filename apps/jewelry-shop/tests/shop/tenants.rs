//! A tenant never sees another's rows.

use crate::browser::Browser;
use crate::platform::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_its_own_rows_only() {
    let platform = Platform::start().await;
    let (_web, origin) = platform.web().await;
    let mut aurum = Browser::of(&origin, "owner@aurum.example").await;
    let mut cobalt = Browser::of(&origin, "staff01@cobalt.example").await;

    aurum.create("SECRET-1", 5).await;
    assert_eq!(cobalt.get("/inventory/SECRET-1/").await.status, 404);
    for path in ["/inventory/search/?q=SECRET-1", "/pos/lookup/?q=SECRET-1", "/inventory/?category=rings"] {
        let theirs = cobalt.get(path).await;
        assert_eq!(theirs.status, 200);
        assert!(!theirs.body.contains("/inventory/SECRET-1/"), "{path}");
        assert!(!theirs.body.contains("AUR-"), "{path}");
    }
    assert!(aurum.get("/inventory/search/?q=SECRET-1").await.body.contains("/inventory/SECRET-1/"));

    let customer = "SELECT min(id) FROM customers WHERE tenant_id = 1";
    let customer = platform.sql(customer).await.remove(0);
    for path in ["", "purchases/"] {
        let path = format!("/customers/{customer}/{path}");
        assert_eq!(aurum.get(&path).await.status, 200, "{path}");
        assert_eq!(cobalt.get(&path).await.status, 404, "{path}");
    }

    // A reference is unique within a tenant; another may use the same.
    assert_eq!(aurum.sell("same", &[("SECRET-1", 1)]).await.status, 201);
    assert_eq!(cobalt.get("/pos/sales/same/").await.status, 404);
    let theirs = cobalt.get("/audit/sales/?prefix=same").await.json();
    assert_eq!(theirs["references"], serde_json::json!([]));
    assert_eq!(cobalt.sell("same", &[("COB-RG-0001", 1)]).await.status, 201);

    let stolen = cobalt.sell("stolen", &[("SECRET-1", 1)]).await;
    assert_eq!((stolen.status, stolen.outcome.as_deref()), (422, Some("refused")));
    let fields = [("reference", "alien"), ("sku", "COB-RG-0001"), ("quantity", "1"), ("customer", &customer)];
    assert_eq!(cobalt.post("/pos/sales/", &fields).await.status, 422);
    assert_eq!(aurum.stock("SECRET-1").await, 4);

    // The same SKU may exist in both, and a name with markup shows as text.
    cobalt.create("SECRET-1", 9).await;
    assert_eq!(cobalt.stock("SECRET-1").await, 9);
    assert_eq!(aurum.stock("SECRET-1").await, 4);
}
