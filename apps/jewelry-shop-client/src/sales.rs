//! Sales, and the audit that finds them again.
//!
//! A sale's reference is also its key in the ledger: `RUN.TENANT.USER-TAG.NUMBER`. Tenants are audited one
//! after the other in the order of their names, so that all keys come in the order of their bytes.

use assay_sdk::{Failure, Result, behavior::AuditPage, http, ledger, random};
use serde::Deserialize;

use crate::{Accounts, Session, session::csrf_token};

/// What is known of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The shop's database confirmed it.
    Recorded,
    /// Surely not recorded, and rightly so: a piece is sold out.
    SoldOut,
}

/// The sales of one user in one run.
#[derive(Debug)]
pub struct Sales {
    prefix: String,
    number: u64,
}

impl Sales {
    /// References of this run, tenant and user. The tag keeps apart what a user sells before and after
    /// it had to start anew.
    pub fn new(run: &str, tenant: &str, user: u64) -> Self {
        Self { prefix: format!("{}.{tenant}.{user}-{}", run_tag(run), random::text(3)), number: 0 }
    }

    /// Opens the point of sale, picks one to three pieces that it offers, and sells them.
    ///
    /// # Errors
    ///
    /// Anything but a recorded sale or a piece that is sold out. The ledger then knows the sale as
    /// rejected if the shop says that it refused it, and as indeterminate otherwise.
    pub fn sell(&mut self, session: &mut Session) -> Result<Outcome> {
        let page = session.page(http::get("/pos/"))?;
        let token = csrf_token(&page)?;
        let text = page.text();
        let offered = offered_skus(&text);
        drop(page);
        if offered.is_empty() {
            return Err(Failure::other("the point of sale offers nothing"));
        }

        self.number += 1;
        let sale = ledger::attempt(format!("{}.{}", self.prefix, self.number));
        let mut fields = vec![
            ("csrfmiddlewaretoken", token),
            ("reference", sale.key().to_owned()),
            ("method", "card".to_owned()),
        ];
        for _ in 0..=random::range(0..3) {
            fields.push(("sku", offered[random::index(offered.len())].to_owned()));
            fields.push(("quantity", "1".to_owned()));
        }
        // A refused sale is an answer, not an error: the statuses are told apart below.
        let answer = http::post("/pos/sales/").form(fields).expect_status(200..=499).send()?;
        let outcome = answer.header("x-outcome").unwrap_or_default();
        match (answer.status(), outcome.as_str()) {
            (201, _) | (409, "recorded") => {
                sale.confirm();
                Ok(Outcome::Recorded)
            }
            (409, "refused") => {
                sale.reject();
                Ok(Outcome::SoldOut)
            }
            (status, "refused") => {
                sale.reject();
                Err(answer.fail(&format!("refused with {status}")))
            }
            (status, _) => Err(answer.fail(&format!("unknown outcome with {status}"))),
        }
    }
}

/// One page of what the shop's database holds of a run's sales, from `after` on.
///
/// # Errors
///
/// Whatever keeps it from reading; the audit is then incomplete.
pub fn audit(accounts: &Accounts, run: &str, after: Option<&str>) -> Result<AuditPage> {
    let run = run_tag(run);
    let mut tenants: Vec<&str> = accounts.tenants.iter().map(String::as_str).collect();
    tenants.sort_unstable();
    // The cursor is `TENANT` to begin one, or `TENANT LAST-REFERENCE` to go on with it.
    let (tenant, last) = match after.map(|after| after.split_once(' ').unwrap_or((after, ""))) {
        Some(cursor) => cursor,
        None => (tenants.first().copied().unwrap_or_default(), ""),
    };
    if last.is_empty() {
        http::reset();
        Session::sign_in(accounts.owner_of(tenant))?;
    }
    let page: Page = http::get(format!("/audit/sales/?prefix={run}.{tenant}.&after={last}&limit=1000"))
        .name("GET /audit/sales/")
        .send()?
        .expected()?
        .json()?;
    let next = match page.next {
        Some(last) => Some(format!("{tenant} {last}")),
        None => tenants.iter().find(|other| **other > tenant).map(|other| (*other).to_owned()),
    };
    Ok(AuditPage { keys: page.references, next })
}

#[derive(Deserialize)]
struct Page {
    references: Vec<String>,
    next: Option<String>,
}

/// The run's id, short enough for the shop, whose references have at most 64 characters.
fn run_tag(run: &str) -> String {
    const LONGEST: usize = 28;
    if run.len() <= LONGEST {
        return run.to_owned();
    }
    // FNV-1a tells long ids apart whose beginnings are alike.
    let hash =
        run.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let begin: String = run.chars().take(15).filter(char::is_ascii).collect();
    format!("{begin}-{hash:08x}")
}

/// The values of the page's options.
fn offered_skus(page: &str) -> Vec<&str> {
    page.split("<option value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use assay_sdk::fake::{Answer, FakeHost};

    use super::*;

    const POS: &str = r#"<input name="csrfmiddlewaretoken" value="t"><option value="AUR-RG-0001">x</option>"#;

    /// What came of it, and what the ledger was told, without keys.
    fn sell(status: u16, outcome: &str) -> (Result<Outcome>, Vec<String>) {
        let host = FakeHost::start();
        host.http("GET", "/pos/", 200, POS);
        let answer = Answer::new(status, "{}").header("X-Outcome", outcome);
        host.http_answer("POST", "/pos/sales/", Ok(answer));
        let accounts = Accounts::default();
        let mut session = Session::restored(accounts.staff(0));
        let sold = Sales::new("run", "aurum", 7).sell(&mut session);
        let told = host.calls().into_iter().filter(|call| call.starts_with("ledger"));
        (sold, told.filter_map(|call| call.split(' ').next().map(str::to_owned)).collect())
    }

    #[test]
    fn the_ledger_knows_what_the_shop_said() {
        let (sold, ledger) = sell(201, "recorded");
        assert_eq!(sold, Ok(Outcome::Recorded));
        assert_eq!(ledger, ["ledger.attempt", "ledger.confirm"]);

        let (sold, ledger) = sell(409, "refused");
        assert_eq!(sold, Ok(Outcome::SoldOut));
        assert_eq!(ledger, ["ledger.attempt", "ledger.reject"]);

        let (sold, ledger) = sell(503, "refused");
        assert!(sold.is_err());
        assert_eq!(ledger.len(), 2);

        let (sold, ledger) = sell(503, "unknown");
        assert!(sold.is_err());
        assert_eq!(ledger, ["ledger.attempt"]);
    }

    #[test]
    fn references_are_short_enough_whatever_the_run_is_called() {
        let _host = FakeHost::start();
        let run = "20261121-101500-a-name-that-somebody-thought-about-for-long-3f2a";
        let prefix = Sales::new(run, "belle-epoque", 9_999).prefix;
        assert!(prefix.len() + ".1234567".len() <= 64, "{prefix}");
        assert_eq!(run_tag("20261121-101500-vps-6gb-3f2a"), "20261121-101500-vps-6gb-3f2a");
    }

    #[test]
    fn an_audit_goes_from_tenant_to_tenant() {
        let host = FakeHost::start();
        host.http("GET", "/audit/sales/", 200, r#"{"references":["r.aurum.1.1"],"next":null}"#);
        let accounts = Accounts { tenants: vec!["cobalt".into(), "aurum".into()], ..Accounts::default() };
        let page = audit(&accounts, "r", Some("aurum r.aurum.1.0")).expect("a page");
        assert_eq!(page.keys, ["r.aurum.1.1"]);
        assert_eq!(page.next.as_deref(), Some("cobalt"));
        let page = audit(&accounts, "r", Some("cobalt r.cobalt.1.0")).expect("a page");
        assert_eq!(page.next, None);
    }
}
