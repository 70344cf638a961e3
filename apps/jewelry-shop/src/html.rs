//! What every page is made of. Pages are written with `format!`; everything that came from
//! outside goes through [`esc`], which is the only way text enters a page.

use std::fmt;

/// Text that is safe inside an element and inside a quoted attribute.
pub(crate) fn esc(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// See [`esc`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#x27;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Text for one segment of a path or one value of a query string.
pub(crate) fn url_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

/// The hidden field that every form carries.
pub(crate) fn csrf_field(token: &str) -> String {
    format!(r#"<input type="hidden" name="csrfmiddlewaretoken" value="{}">"#, esc(token))
}

/// A table; the cells are HTML already.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let mut html = String::from("<table><thead><tr>");
    for heading in headings {
        html.push_str("<th>");
        html.push_str(heading);
        html.push_str("</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        html.push_str(&row);
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
    html
}

/// A whole page: head, navigation and the given body.
pub(crate) fn page(title: &str, navigation: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:15px sans-serif;margin:2em auto;max-width:60em}}table{{border-collapse:collapse}}\
         td,th{{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}}nav a{{margin-right:1em}}</style>\
         </head><body>{navigation}<h1>{title}</h1>{body}</body></html>",
        title = esc(title),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_does_not_get_through() {
        assert_eq!(
            esc("<a href=\"x\">Tom & 'Ann'</a>").to_string(),
            "&lt;a href=&quot;x&quot;&gt;Tom &amp; &#x27;Ann&#x27;&lt;/a&gt;"
        );
        assert_eq!(esc("Jürgen – 18 kt").to_string(), "Jürgen – 18 kt");
    }

    #[test]
    fn url_parts_are_encoded() {
        assert_eq!(url_part("/a b?c=ü"), "%2Fa%20b%3Fc%3D%C3%BC");
        assert_eq!(url_part("AUR-RG-0001"), "AUR-RG-0001");
    }

    #[test]
    fn titles_are_escaped() {
        assert!(page("<b>", "", "").contains("<title>&lt;b&gt;</title>"));
    }
}
