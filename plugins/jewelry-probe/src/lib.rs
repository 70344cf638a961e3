//! Asks a jewelry shop all the time whether it still reads and writes.
//!
//! A probe has the tasks `read` and `write`; the host sends each at a steady rate. Reading is a page
//! that no cache answers, writing is a sale, which the audit must find again.

use assay_sdk::prelude::*;
use jewelry_shop_client::{Accounts, Sales, Session, audit};

#[derive(Debug)]
struct Probe {
    accounts: Accounts,
    run: String,
    session: Session,
    sales: Sales,
}

impl Behavior for Probe {
    type Config = Accounts;

    fn tasks(_: &Accounts) -> Tasks<Self> {
        Tasks::new().group("read", 1, [Task::new("read", Self::read)]).group(
            "write",
            1,
            [Task::new("write", Self::write).writes()],
        )
    }

    fn start(accounts: Accounts, user: User) -> Result<Self> {
        let account = accounts.staff(user.ordinal);
        let sales = Sales::new(&user.run, &account.tenant, user.id);
        let session = Session::sign_in(account)?;
        Ok(Self { accounts, run: user.run, session, sales })
    }

    fn audit(&mut self, after: Option<&str>) -> Result<AuditPage> {
        audit(&self.accounts, &self.run, after)
    }
}

impl Probe {
    fn read(&mut self) -> Result<()> {
        let page = self.session.page(http::get("/customers/"))?;
        page.check(page.capture(r#"href="/customers/([0-9]+)/""#).is_some(), "a list without customers")
    }

    fn write(&mut self) -> Result<()> {
        self.sales.sell(&mut self.session).map(drop)
    }
}

assay_sdk::export!(behavior Probe);

#[cfg(test)]
mod tests {
    use assay_sdk::fake::{Answer, FakeHost};

    use super::*;

    fn probe() -> Probe {
        let accounts = Accounts::default();
        let account = accounts.staff(0);
        Probe {
            run: "run".into(),
            sales: Sales::new("run", &account.tenant, 0),
            session: Session::restored(account),
            accounts,
        }
    }

    #[test]
    fn it_reads_what_the_database_holds() {
        let host = FakeHost::start();
        host.http("GET", "/customers/", 200, r#"<a href="/customers/7/">A. Buyer</a>"#);
        probe().read().expect("it reads");
    }

    #[test]
    fn a_page_from_which_the_rows_are_missing_is_no_success() {
        let host = FakeHost::start();
        host.http("GET", "/customers/", 200, "<table></table>");
        assert!(probe().read().is_err());
    }

    #[test]
    fn it_writes_through_the_ledger() {
        let host = FakeHost::start();
        let form = r#"<input name="csrfmiddlewaretoken" value="t"><option value="AUR-RG-0001">x</option>"#;
        host.http("GET", "/pos/", 200, form);
        let recorded = Answer::new(201, "{}").header("X-Outcome", "recorded");
        host.http_answer("POST", "/pos/sales/", Ok(recorded));
        probe().write().expect("it sells");
        let told: Vec<_> = host.calls().into_iter().filter(|call| call.starts_with("ledger")).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("ledger.attempt") && told[1].starts_with("ledger.confirm"), "{told:?}");
    }
}
