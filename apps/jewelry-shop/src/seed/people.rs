//! Staff and customers.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tokio_postgres::types::Type;

use super::{PASSWORD, Tenant};
use crate::data::{Connection, DataError};
use crate::password;

const FIRST: [&str; 32] = [
    "Ada", "Amara", "Anton", "Beatriz", "Carlos", "Chloé", "Dmitri", "Elena", "Farid", "Greta", "Hana",
    "Ines", "Ivan", "Jonas", "Kofi", "Lena", "Luca", "Maeve", "Mateo", "Mei", "Nadia", "Noor", "Oskar",
    "Priya", "Quentin", "Rosa", "Sana", "Theo", "Uma", "Viktor", "Yara", "Zoë",
];

const LAST: [&str; 30] = [
    "Abara",
    "Almeida",
    "Bauer",
    "Bianchi",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Farouk",
    "Ferrari",
    "García",
    "Haddad",
    "Horváth",
    "Ito",
    "Jensen",
    "Kaya",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Novák",
    "O'Brien",
    "Okafor",
    "Petrov",
    "Rossi",
    "Schmidt",
    "Silva",
    "Tanaka",
    "Van Dijk",
    "Weber",
    "Yılmaz",
];

const CITIES: [&str; 12] = [
    "Antwerp",
    "Barcelona",
    "Birmingham",
    "Copenhagen",
    "Florence",
    "Geneva",
    "Istanbul",
    "Lisbon",
    "Lyon",
    "Pforzheim",
    "Porto",
    "Vienna",
];

fn full_name(random: &mut ChaCha8Rng) -> String {
    let first = FIRST[random.random_range(0..FIRST.len())];
    let last = LAST[random.random_range(0..LAST.len())];
    format!("{first} {last}")
}

/// Adds the owner and the staff; returns their ids.
pub(super) async fn staff(
    connection: &mut Connection<'_>,
    tenant: &Tenant,
    count: u16,
    random: &mut ChaCha8Rng,
) -> Result<Vec<i64>, DataError> {
    let mut emails = vec![format!("owner@{}.example", tenant.slug)];
    emails.extend((1..=count).map(|number| format!("staff{number:02}@{}.example", tenant.slug)));
    let names: Vec<String> = emails.iter().map(|_| full_name(random)).collect();
    let roles: Vec<&str> =
        emails.iter().enumerate().map(|(i, _)| if i == 0 { "owner" } else { "staff" }).collect();
    let hashes: Vec<String> = emails.iter().map(|_| password::hash(PASSWORD)).collect();
    let rows = connection
        .query(
            "INSERT INTO users (tenant_id, email, name, role, password)
             SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) RETURNING id",
            &[
                (&tenant.id, Type::INT4),
                (&emails, Type::TEXT_ARRAY),
                (&names, Type::TEXT_ARRAY),
                (&roles, Type::TEXT_ARRAY),
                (&hashes, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Adds customers; returns their ids.
pub(super) async fn customers(
    connection: &mut Connection<'_>,
    tenant: &Tenant,
    count: u32,
    random: &mut ChaCha8Rng,
) -> Result<Vec<i64>, DataError> {
    let mut names = Vec::new();
    let mut emails = Vec::new();
    let mut phones = Vec::new();
    let mut cities = Vec::new();
    for number in 1..=count {
        names.push(full_name(random));
        emails.push(format!("customer{number:04}@mail.example"));
        phones.push(format!("+00 555 {:07}", random.random_range(0..10_000_000)));
        cities.push(CITIES[random.random_range(0..CITIES.len())]);
    }
    let rows = connection
        .query(
            "INSERT INTO customers (tenant_id, name, email, phone, city)
             SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) RETURNING id",
            &[
                (&tenant.id, Type::INT4),
                (&names, Type::TEXT_ARRAY),
                (&emails, Type::TEXT_ARRAY),
                (&phones, Type::TEXT_ARRAY),
                (&cities, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
