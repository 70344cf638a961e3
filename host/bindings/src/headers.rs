//! The headers of an answer.

use std::{fmt, ops::Range};

/// Headers in the order in which they came. Names are in lower case, and are asked for in it; values are
/// bytes, of which nobody promises more than that they hold no line ends.
///
/// A list and no map: an answer has a handful of them, of which one or two are ever asked for, and an
/// answer comes ten thousand times a second. All text is in one piece of memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    /// Room for so many headers of so many bytes in all.
    pub fn with_capacity(headers: usize, bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), fields: Vec::with_capacity(headers) }
    }

    pub fn push(&mut self, name: &str, value: &[u8]) {
        let begin = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        let middle = self.text.len();
        self.text[begin..].make_ascii_lowercase();
        self.text.extend_from_slice(value);
        self.fields.push(Field { name: begin..middle, value: middle..self.text.len() });
    }

    /// The first value under this name, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value)
    }

    /// All values under this name, which is in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter_map(move |(known, value)| (known == name.as_bytes()).then_some(value))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (&self.text[field.name.clone()], &self.text[field.value.clone()]))
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.text.len()
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = Self::default();
        for (name, value) in headers {
            all.push(name.as_ref(), value.as_ref());
        }
        all
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| (name.escape_ascii(), value.escape_ascii()));
        f.debug_map().entries(shown.map(|(name, value)| (name.to_string(), value.to_string()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_values_keep_their_order() {
        let headers: Headers =
            [("Set-Cookie", "a=1"), ("etag", ""), ("set-cookie", "b=\u{e9}")].into_iter().collect();
        assert_eq!(headers.get("etag"), Some(&b""[..]));
        assert_eq!(headers.get("cookie"), None);
        assert_eq!(headers.all("set-cookie").collect::<Vec<_>>(), ["a=1".as_bytes(), "b=é".as_bytes()]);
        assert_eq!(headers.size(), 10 + 3 + 4 + 10 + 4);
        assert_eq!(
            format!("{headers:?}"),
            r#"{"set-cookie": "a=1", "etag": "", "set-cookie": "b=\\xc3\\xa9"}"#
        );
    }
}
