//! Passwords, in the form in which Django stores them: `pbkdf2_sha256$iterations$salt$hash`.
//!
//! The cost is deliberately low, and lower than any shop on the open net should use: a load test
//! signs in tens of users a second, and at Django's default of a million iterations that alone
//! would need a rack. With 4,000 iterations a hash takes well under two milliseconds, and the code path is
//! the real one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pbkdf2::pbkdf2_hmac_array;
use pbkdf2::sha2::Sha256;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use subtle::ConstantTimeEq as _;

/// How often the hash is applied.
const ITERATIONS: u32 = 4_000;

/// Above this a stored hash is taken for damaged rather than computed for minutes.
const MOST_ITERATIONS: u32 = 10_000_000;

/// Hashes a password with a fresh salt.
pub(crate) fn hash(password: &str) -> String {
    let salt: String = rand::rng().sample_iter(Alphanumeric).take(22).map(char::from).collect();
    encode(password, &salt, ITERATIONS)
}

/// Whether the password is the one that was hashed.
pub(crate) fn verify(password: &str, stored: &str) -> bool {
    let mut parts = stored.split('$');
    let (Some("pbkdf2_sha256"), Some(iterations), Some(salt), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(iterations) = iterations.parse() else {
        return false;
    };
    if !(1..=MOST_ITERATIONS).contains(&iterations) {
        return false;
    }
    encode(password, salt, iterations).as_bytes().ct_eq(stored.as_bytes()).into()
}

/// Takes as long as a verification; for users who do not exist, so that the time tells nothing.
pub(crate) fn verify_nobody(password: &str) {
    std::hint::black_box(encode(password, "nobody", ITERATIONS));
}

fn encode(password: &str, salt: &str, iterations: u32) -> String {
    let key: [u8; 32] = pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), iterations);
    format!("pbkdf2_sha256${iterations}${salt}${}", STANDARD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `django.contrib.auth.hashers.make_password("lètmein", "seasalt", ...)`, from
    /// Django's own test suite.
    const OF_DJANGO: &str = "pbkdf2_sha256$1000000$seasalt$r1uLUxoxpP2Ued/qxvmje7UH9PUJBkRrvf9gGPL7Cps=";

    #[test]
    fn hashes_are_those_of_django() {
        assert!(verify("lètmein", OF_DJANGO));
        assert!(!verify("letmein", OF_DJANGO));
    }

    #[test]
    fn a_hash_verifies_its_password_alone() {
        let stored = hash("assay-demo-pass");
        assert!(verify("assay-demo-pass", &stored));
        assert!(!verify("assay-demo-pasS", &stored));
        assert_ne!(stored, hash("assay-demo-pass"), "the salt is fresh");
    }

    #[test]
    fn damaged_hashes_verify_nothing() {
        for stored in
            ["", "x", "pbkdf2_sha256$0$a$b", "pbkdf2_sha256$x$a$b", "md5$1$a$b", "pbkdf2_sha256$1$a$b$c"]
        {
            assert!(!verify("", stored), "{stored}");
        }
    }
}
