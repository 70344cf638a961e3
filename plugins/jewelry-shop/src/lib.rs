//! Staff of a jewelry shop at work: look things up, sell, serve customers.

use assay_sdk::prelude::*;
use jewelry_shop_client::{Accounts, Sales, Session, audit};

const CATEGORIES: [&str; 6] = ["rings", "necklaces", "earrings", "bracelets", "brooches", "watches"];
const WORDS: [&str; 6] = ["ring", "pearl", "gold", "silver", "diamond", "sapphire"];

/// Customers that every tenant is seeded with.
const CUSTOMERS: u64 = 200;

#[derive(Debug)]
struct Staff {
    accounts: Accounts,
    run: String,
    session: Session,
    sales: Sales,
    /// A product of the last list that was seen.
    sku: Option<String>,
    /// A customer of the last list that was seen.
    customer: Option<String>,
}

impl Behavior for Staff {
    type Config = Accounts;

    fn tasks(_: &Accounts) -> Tasks<Self> {
        Tasks::new()
            .group("dashboard", 10, [Task::new("dashboard", Self::dashboard)])
            .group(
                "inventory",
                30,
                [
                    Task::new("inventory-list", Self::inventory_list).weight(3),
                    Task::new("inventory-search", Self::inventory_search).weight(2),
                    Task::new("inventory-detail", Self::inventory_detail).weight(3),
                ],
            )
            .group(
                "pos",
                25,
                [
                    Task::new("pos-open", Self::pos_open).weight(2),
                    Task::new("pos-sale", Self::pos_sale).weight(3).writes(),
                ],
            )
            .group(
                "customers",
                20,
                [
                    Task::new("customer-list", Self::customer_list).weight(2),
                    Task::new("customer-detail", Self::customer_detail).weight(2),
                    Task::new("customer-purchases", Self::customer_purchases),
                ],
            )
            .group(
                "reports",
                10,
                [
                    Task::new("report-sales", Self::report_sales),
                    Task::new("report-inventory", Self::report_inventory),
                ],
            )
            .group("health", 5, [Task::new("health", Self::health)])
    }

    fn start(accounts: Accounts, user: User) -> Result<Self> {
        let account = accounts.staff(user.ordinal);
        let sales = Sales::new(&user.run, &account.tenant, user.id);
        let session = Session::sign_in(account)?;
        Ok(Self { accounts, run: user.run, session, sales, sku: None, customer: None })
    }

    fn audit(&mut self, after: Option<&str>) -> Result<AuditPage> {
        audit(&self.accounts, &self.run, after)
    }
}

impl Staff {
    fn dashboard(&mut self) -> Result<()> {
        self.session.page(http::get("/dashboard/")).map(drop)
    }

    fn inventory_list(&mut self) -> Result<()> {
        let category = random::choose(&CATEGORIES).unwrap_or(&"rings");
        let url = format!("/inventory/?category={category}&page={}", random::range(1..3));
        let page = self.session.page(http::get(url))?;
        // A stranger's SKU would do no less, but people open what they see.
        self.sku = page.capture(r#"href="/inventory/([A-Z]{3}-[A-Z]{2}-[0-9]+)/""#).or(self.sku.take());
        Ok(())
    }

    fn inventory_search(&mut self) -> Result<()> {
        let word = random::choose(&WORDS).unwrap_or(&"ring");
        self.session.page(http::get(format!("/inventory/search/?q={word}"))).map(drop)
    }

    fn inventory_detail(&mut self) -> Result<()> {
        if self.sku.is_none() {
            self.inventory_list()?;
        }
        let Some(sku) = &self.sku else { return Err("the inventory lists no product".into()) };
        let request = http::get(format!("/inventory/{sku}/")).name("GET /inventory/{sku}/");
        let page = self.session.page(request)?;
        page.check(page.capture(r#"id="price""#).is_some(), "a product without a price")
    }

    fn pos_open(&mut self) -> Result<()> {
        self.session.page(http::get("/pos/")).map(drop)
    }

    fn pos_sale(&mut self) -> Result<()> {
        self.sales.sell(&mut self.session).map(drop)
    }

    fn customer_list(&mut self) -> Result<()> {
        let url = format!("/customers/?page={}", random::range(1..1 + CUSTOMERS / 25));
        let page = self.session.page(http::get(url))?;
        self.customer = page.capture(r#"href="/customers/([0-9]+)/""#).or(self.customer.take());
        Ok(())
    }

    fn customer_detail(&mut self) -> Result<()> {
        let id = self.some_customer()?;
        let request = http::get(format!("/customers/{id}/")).name("GET /customers/{id}/");
        self.session.page(request).map(drop)
    }

    fn customer_purchases(&mut self) -> Result<()> {
        let id = self.some_customer()?;
        let request = http::get(format!("/customers/{id}/purchases/")).name("GET /customers/{id}/purchases/");
        self.session.page(request).map(drop)
    }

    fn some_customer(&mut self) -> Result<String> {
        if self.customer.is_none() {
            self.customer_list()?;
        }
        self.customer.clone().ok_or_else(|| "the shop lists no customer".into())
    }

    fn report_sales(&mut self) -> Result<()> {
        self.session.page(http::get("/reports/sales/")).map(drop)
    }

    fn report_inventory(&mut self) -> Result<()> {
        self.session.page(http::get("/reports/inventory/")).map(drop)
    }

    fn health(&mut self) -> Result<()> {
        http::get("/healthz").visit()
    }
}

assay_sdk::export!(behavior Staff);

#[cfg(test)]
mod tests {
    use assay_sdk::fake::FakeHost;

    use super::*;

    #[test]
    fn a_product_is_looked_up_before_it_is_opened() {
        let host = FakeHost::start();
        let mut staff = staff();
        host.http("GET", "/inventory/", 200, r#"<a href="/inventory/AUR-RG-0001/">"#);
        host.http("GET", "/inventory/AUR-RG-0001/", 200, r#"<td id="price">1</td>"#);
        staff.inventory_detail().expect("opens");
        assert_eq!(staff.sku.as_deref(), Some("AUR-RG-0001"));
    }

    #[test]
    fn twelve_tasks_in_six_groups() {
        let tasks = format!("{:?}", Staff::tasks(&Accounts::default()));
        assert_eq!(tasks.matches("Task(").count(), 12, "{tasks}");
    }

    fn staff() -> Staff {
        let accounts = Accounts::default();
        let account = accounts.staff(0);
        Staff {
            run: "run".into(),
            sales: Sales::new("run", &account.tenant, 0),
            session: Session::restored(account),
            accounts,
            sku: None,
            customer: None,
        }
    }

    #[test]
    fn a_shop_without_the_form_is_a_failed_start() {
        let host = FakeHost::start();
        host.http("GET", "/login/", 200, "no form here");
        let Err(error) = Staff::start(Accounts::default(), host.user(0)) else {
            panic!("it has no accounts")
        };
        assert!(error.to_string().contains("no CSRF token"), "{error}");
    }
}
