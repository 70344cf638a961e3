//! A browser: keeps cookies, follows nothing by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use crate::platform::until;

/// The password of every seeded user.
pub(crate) const PASSWORD: &str = "assay-demo-pass";

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The text between the first occurrence of one mark and the next of another.
    pub(crate) fn between(&self, from: &str, to: &str) -> &str {
        let rest = self.body.split_once(from).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once(to))
            .map(|(text, _)| text)
            .unwrap_or_else(|| panic!("no {from} in {}", self.body))
    }

    fn token(&self) -> String {
        self.between("name=\"csrfmiddlewaretoken\" value=\"", "\"").to_owned()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Browser {
    client: Client,
    origin: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(origin: &str) -> Self {
        // The shop speaks plain HTTP; the client wants to know all the same who would do TLS.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(15))
            .no_proxy()
            .build()
            .expect("a client");
        Self { client, origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// A browser whose user is signed in.
    pub(crate) async fn of(origin: &str, user: &str) -> Self {
        let mut browser = Self::new(origin);
        let answer = browser.sign_in(user, PASSWORD, "").await;
        assert_eq!(answer.status, 302, "{answer:?}");
        browser
    }

    pub(crate) async fn sign_in(&mut self, user: &str, password: &str, next: &str) -> Answer {
        let token = self.get("/login/").await.token();
        self.send(
            "/login/",
            &[("username", user), ("password", password), ("next", next), ("csrfmiddlewaretoken", &token)],
        )
        .await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.origin));
        self.ask(request).await
    }

    /// Sends a form as it is.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.client.post(format!("{}{path}", self.origin)).form(fields);
        self.ask(request).await
    }

    /// Sends a form with the header that scripts use against forgery.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let secret = self.cookie("csrftoken").to_owned();
        let request = self.client.post(format!("{}{path}", self.origin));
        self.ask(request.header("X-CSRFToken", secret).form(fields)).await
    }

    /// Sells some pieces.
    pub(crate) async fn sell(&mut self, reference: &str, items: &[(&str, i32)]) -> Answer {
        let quantities: Vec<String> = items.iter().map(|(_, n)| n.to_string()).collect();
        let mut fields = vec![("reference", reference)];
        for ((sku, _), quantity) in items.iter().zip(&quantities) {
            fields.push(("sku", sku));
            fields.push(("quantity", quantity));
        }
        self.post("/pos/sales/", &fields).await
    }

    /// Adds a ring to the catalogue.
    pub(crate) async fn create(&mut self, sku: &str, quantity: i32) {
        let quantity = quantity.to_string();
        let answer = self
            .post(
                "/inventory/new/",
                &[
                    ("sku", sku),
                    ("name", "Test Ring"),
                    ("category", "rings"),
                    ("price", "10.00"),
                    ("quantity", &quantity),
                ],
            )
            .await;
        assert_eq!(answer.status, 302, "{answer:?}");
    }

    /// Pieces in stock.
    pub(crate) async fn stock(&mut self, sku: &str) -> i32 {
        let answer = self.get(&format!("/inventory/{sku}/")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.between("id=\"quantity\">", "<").parse().expect("a number")
    }

    pub(crate) fn cookie(&self, name: &str) -> &str {
        self.cookies.get(name).map_or("", String::as_str)
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    pub(crate) async fn until_ready(&mut self) {
        until(
            "the shop is ready",
            async || matches!(self.try_get("/readyz").await, Ok(answer) if answer.status == 200),
        )
        .await;
    }

    pub(crate) async fn try_get(&mut self, path: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.get(format!("{}{path}", self.origin));
        self.try_ask(request).await
    }

    async fn ask(&mut self, request: RequestBuilder) -> Answer {
        self.try_ask(request).await.expect("the shop answers")
    }

    async fn try_ask(&mut self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let cookies: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let started = Instant::now();
        let response = request.header(COOKIE, cookies.join("; ")).send().await?;
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("ASCII").to_owned())
        };
        let (location, outcome) = (text(LOCATION.as_str()), text("x-outcome"));
        let cookies: Vec<String> = response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().expect("ASCII").to_owned())
            .collect();
        for cookie in &cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = response.status().as_u16();
        let body = response.text().await?;
        Ok(Answer { status, location, outcome, cookies, body, took: started.elapsed() })
    }
}
