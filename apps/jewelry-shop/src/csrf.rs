//! Protection against forged requests, as Django does it: a secret in the `csrftoken` cookie, and
//! in every form the same secret under a mask that changes from page to page. A request that
//! changes something must bring both.
//!
//! Django also compares the `Origin` and, over TLS, the `Referer` header; the shop speaks plain
//! HTTP behind a proxy and leaves that out.

use rand::RngExt as _;
use subtle::ConstantTimeEq as _;

/// The characters of secrets and tokens.
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Characters of a secret; a masked token has twice as many.
const SECRET: usize = 32;

/// A new secret for the cookie.
pub(crate) fn new_secret() -> String {
    let mut random = rand::rng();
    (0..SECRET).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// A new session key; it has the shape of a secret, and may look like one.
pub(crate) fn new_session_key() -> String {
    new_secret()
}

/// Whether the text could be a secret; what could not is replaced as if there were none.
pub(crate) fn is_secret(text: &str) -> bool {
    text.len() == SECRET && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The token for one form: a random mask, then the secret shifted by it.
pub(crate) fn mask(secret: &str) -> String {
    let mask = new_secret();
    let cipher = combine(secret, &mask, |secret, mask| secret + mask);
    mask + &cipher
}

/// Whether a token, masked or bare, carries the secret.
pub(crate) fn matches(token: &str, secret: &str) -> bool {
    if !is_secret(secret) || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let bare = match token.len() {
        SECRET => token.to_owned(),
        len if len == 2 * SECRET => {
            let (mask, cipher) = token.split_at(SECRET);
            combine(cipher, mask, |cipher, mask| cipher + ALPHABET.len() - mask)
        }
        _ => return false,
    };
    bare.as_bytes().ct_eq(secret.as_bytes()).into()
}

fn combine(left: &str, right: &str, with: impl Fn(usize, usize) -> usize) -> String {
    let place = |byte: u8| ALPHABET.iter().position(|&b| b == byte).unwrap_or(0);
    left.bytes()
        .zip(right.bytes())
        .map(|(l, r)| char::from(ALPHABET[with(place(l), place(r)) % ALPHABET.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_token_matches_its_secret() {
        let secret = new_secret();
        let token = mask(&secret);
        assert_eq!(token.len(), 64);
        assert_ne!(token, mask(&secret), "the mask changes");
        assert!(matches(&token, &secret));
        assert!(matches(&secret, &secret));
    }

    #[test]
    fn other_tokens_do_not_match() {
        let secret = new_secret();
        for token in ["", "short", &new_secret(), &mask(&new_secret()), &"ü".repeat(32), &"-".repeat(64)] {
            assert!(!matches(token, &secret), "{token}");
        }
        assert!(!matches("", ""));
    }

    #[test]
    fn unmasking_follows_django() {
        // The mask is the second letter throughout: every letter of the secret moves by one.
        let token = "b".repeat(32) + &"c".repeat(32);
        assert!(matches(&token, &"b".repeat(32)));
    }
}
