//! The owner of a jewelry shop: closes the books, adds products, asks for reports.

use assay_sdk::prelude::*;
use jewelry_shop_client::{Accounts, Session};

const KINDS: [(&str, &str); 3] = [("rings", "RG"), ("necklaces", "NK"), ("earrings", "ER")];

struct Owner {
    session: Session,
    /// Makes this user's new SKUs unlike everybody else's.
    tag: String,
    created: u64,
}

impl Behavior for Owner {
    type Config = Accounts;

    fn tasks(_: &Accounts) -> Tasks<Self> {
        Tasks::new()
            .group("accounting", 50, [Task::new("accounting", Self::accounting)])
            .group("catalogue", 25, [Task::new("product-create", Self::create_product).writes()])
            .group("reports", 25, [Task::new("report-request", Self::request_report).writes()])
    }

    fn start(accounts: Accounts, user: User) -> Result<Self> {
        let session = Session::sign_in(accounts.owner(user.ordinal))?;
        Ok(Self { session, tag: random::text(6).to_uppercase(), created: 0 })
    }
}

impl Owner {
    fn accounting(&mut self) -> Result<()> {
        self.session.page(http::get("/accounting/")).map(drop)
    }

    fn create_product(&mut self) -> Result<()> {
        let token = self.session.token("/inventory/new/")?;
        self.created += 1;
        let (category, code) = random::choose(&KINDS).unwrap_or(&KINDS[0]);
        let fields = [
            ("csrfmiddlewaretoken", token),
            ("sku", format!("NEW-{code}-{}{}", self.tag, self.created)),
            ("name", format!("Piece {} of {}", self.created, self.tag)),
            ("category", (*category).to_owned()),
            ("price", format!("{}.00", random::range(40..4_000))),
            ("quantity", random::range(1..50).to_string()),
        ];
        // The page that it leads to has the new SKU in its path.
        let request = http::post("/inventory/new/").form(fields).redirects(0).expect_status(302..=302);
        self.session.page(request).map(drop)
    }

    fn request_report(&mut self) -> Result<()> {
        let token = self.session.token("/reports/sales/")?;
        let fields = [("csrfmiddlewaretoken", token), ("days", random::range(7..91).to_string())];
        let request = http::post("/reports/sales/").form(fields).expect_status(202..=202);
        self.session.page(request).map(drop)
    }
}

assay_sdk::export!(behavior Owner);

#[cfg(test)]
mod tests {
    use assay_sdk::fake::FakeHost;

    use super::*;

    #[test]
    fn a_report_is_asked_for_with_the_forms_token() {
        let host = FakeHost::start();
        host.http("GET", "/reports/sales/", 200, r#"<input name="csrfmiddlewaretoken" value="t0ken">"#);
        host.http("POST", "/reports/sales/", 202, "{}");
        let session = Session::restored(Accounts::default().owner(0));
        let mut owner = Owner { session, tag: "ABC123".into(), created: 0 };
        owner.request_report().expect("is queued");
        assert!(host.bodies().iter().any(|body| body.contains("csrfmiddlewaretoken=t0ken")));
    }
}
