//! Reading a sale from what was posted, as a form or as JSON.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::posted::Posted;
use crate::money::Cents;
use crate::sale::{MOST_LINES, Order};

/// How a sale can be paid.
pub(super) const METHODS: [&str; 3] = ["card", "cash", "transfer"];

/// A sale as a script sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    reference: String,
    customer: Option<i64>,
    items: Vec<SentItem>,
    #[serde(default = "card")]
    method: String,
    tendered_cents: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentItem {
    sku: String,
    quantity: i32,
}

fn card() -> String {
    "card".to_owned()
}

/// Reads an order from a form or from JSON.
pub(super) fn read(posted: &Posted) -> Result<Order, String> {
    let sent = match posted {
        Posted::Json(body) => serde_json::from_slice(body).map_err(|error| error.to_string())?,
        Posted::Form(_) => read_form(posted)?,
    };
    check(sent)
}

fn read_form(posted: &Posted) -> Result<Sent, String> {
    let quantities: Vec<&str> = posted.fields("quantity").collect();
    let skus: Vec<&str> = posted.fields("sku").collect();
    if skus.len() != quantities.len() {
        return Err("every sku needs a quantity".to_owned());
    }
    let items = skus.iter().zip(quantities).map(|(sku, quantity)| {
        let quantity = quantity.parse().map_err(|_| format!("`{quantity}` is not a quantity"))?;
        Ok(SentItem { sku: (*sku).to_owned(), quantity })
    });
    let customer = match posted.field("customer") {
        "" => None,
        text => Some(text.parse().map_err(|_| "customer must be a number".to_owned())?),
    };
    let tendered_cents = match posted.field("tendered") {
        "" => None,
        text => Some(Cents::parse(text).ok_or("tendered must be an amount")?.0),
    };
    let method = match posted.field("method") {
        "" => card(),
        method => method.to_owned(),
    };
    Ok(Sent {
        reference: posted.field("reference").to_owned(),
        customer,
        items: items.collect::<Result<_, String>>()?,
        method,
        tendered_cents,
    })
}

fn check(sent: Sent) -> Result<Order, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if !(1..=64).contains(&sent.reference.len()) || !sent.reference.bytes().all(is_plain) {
        return Err("reference must be 1 to 64 letters, digits, or any of - _ . :".to_owned());
    }
    if !METHODS.contains(&sent.method.as_str()) {
        return Err(format!("method must be one of {}", METHODS.join(", ")));
    }
    if sent.items.is_empty() || sent.items.len() > MOST_LINES {
        return Err(format!("a sale has 1 to {MOST_LINES} items"));
    }
    let mut items: BTreeMap<String, i32> = BTreeMap::new();
    for SentItem { sku, quantity } in sent.items {
        if !(1..=1_000).contains(&quantity) {
            return Err("a quantity is from 1 to 1000".to_owned());
        }
        if sku.contains('\0') {
            return Err("there is no such product".to_owned());
        }
        // The same piece scanned twice is one line; at most 50 × 1000, which fits.
        *items.entry(sku).or_default() += quantity;
    }
    Ok(Order {
        reference: sent.reference,
        customer: sent.customer,
        items,
        method: sent.method,
        tendered: sent.tendered_cents.map(Cents),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Posted {
        Posted::Form(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn forms_and_scripts_say_the_same() {
        let by_form = read(&form(&[
            ("reference", "run-1"),
            ("customer", "7"),
            ("sku", "A"),
            ("quantity", "1"),
            ("sku", "B"),
            ("quantity", "2"),
            ("sku", "A"),
            ("quantity", "3"),
            ("method", "cash"),
            ("tendered", "1,000.00"),
        ]))
        .expect("a good form");
        let by_script = read(&Posted::Json(
            r#"{"reference":"run-1","customer":7,"method":"cash","tendered_cents":100000,
                "items":[{"sku":"A","quantity":4},{"sku":"B","quantity":2}]}"#
                .into(),
        ))
        .expect("good JSON");
        assert_eq!(format!("{by_form:?}"), format!("{by_script:?}"));
        assert_eq!(by_form.items["A"], 4);
    }

    #[test]
    fn nonsense_is_refused() {
        for fields in [
            &[][..],
            &[("reference", "r")],
            &[("reference", ""), ("sku", "A"), ("quantity", "1")],
            &[("reference", "a b"), ("sku", "A"), ("quantity", "1")],
            &[("reference", "r"), ("sku", "A")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "0")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "-1")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "1"), ("method", "barter")],
            &[("reference", "r"), ("sku", "A"), ("quantity", "1"), ("customer", "me")],
        ] {
            assert!(read(&form(fields)).is_err(), "{fields:?}");
        }
        assert!(read(&Posted::Json("{}".into())).is_err());
    }
}
