//! A config as a tree in which every key and value knows where it was written.
//!
//! Files and `--set` arguments are merged as such trees, so that an error found much later, by a
//! schema or by a plugin, still leads to the line that caused it.

use std::{collections::BTreeMap, ops::Range};

use serde_json::Value;
use toml::{Spanned, de::DeValue};

/// Deepest nesting; deeper is refused, so that no recursion over a tree can exhaust the stack.
const DEEPEST: usize = 32;

/// Where something was written: which text, and its bytes there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Index into the texts of [`super::Sources`].
    pub(super) text: usize,
    pub(super) span: Range<usize>,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    /// String, number or boolean.
    Scalar(Value),
    List(Vec<Node>),
    Table(BTreeMap<String, Entry>),
}

/// A key of a table and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) value: Node,
}

/// A value that TOML can write and a config cannot hold.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Node {
    /// An empty table.
    pub(super) fn table(place: Place) -> Self {
        Self { place, content: Content::Table(BTreeMap::new()) }
    }

    /// Converts what the TOML parser read. `text` and `base` say which text it stands in and where
    /// in that text parsing began. What cannot be held is left out and told.
    pub(super) fn from_toml(
        value: &Spanned<DeValue<'_>>,
        text: usize,
        base: usize,
        unfit: &mut Vec<Unfit>,
    ) -> Option<Self> {
        Conversion { text, base, unfit }.convert(value.get_ref(), value.span(), 0)
    }

    /// As JSON. Numbers without a fraction are integers, as JSON Schema sees them.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Table(entries) => Value::Object(
                entries.iter().map(|(key, entry)| (key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// Lays another tree over this one: tables are merged key by key, anything else is replaced.
    pub(super) fn overlay(&mut self, over: Self) {
        match (&mut self.content, over.content) {
            (Content::Table(entries), Content::Table(over_entries)) => {
                // Errors about the table as a whole point to where it was written last.
                self.place = over.place;
                for (key, over_entry) in over_entries {
                    match entries.get_mut(&key) {
                        Some(entry) => {
                            entry.key = over_entry.key;
                            entry.value.overlay(over_entry.value);
                        }
                        None => drop(entries.insert(key, over_entry)),
                    }
                }
            }
            (content, over_content) => {
                *content = over_content;
                self.place = over.place;
            }
        }
    }

    /// One step down, by key or index.
    pub(super) fn child(&self, segment: &str) -> Option<(&Place, &Self)> {
        match &self.content {
            Content::Table(entries) => entries.get(segment).map(|entry| (&entry.key, &entry.value)),
            Content::List(items) => segment
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .map(|item| (&item.place, item)),
            Content::Scalar(_) => None,
        }
    }

    /// The value of a key.
    pub(super) fn child_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.content {
            Content::Table(entries) => entries.get_mut(key).map(|entry| &mut entry.value),
            Content::List(_) | Content::Scalar(_) => None,
        }
    }

    /// The place of what a JSON pointer names, or of the nearest thing around it that was written:
    /// a key that is missing is missing from its table. With `key`, the key's place instead.
    pub(super) fn locate<'a>(&self, segments: impl Iterator<Item = &'a str>, key: bool) -> &Place {
        let (mut node, mut place) = (self, &self.place);
        for segment in segments {
            let Some((key_place, child)) = node.child(segment) else { return &node.place };
            node = child;
            place = if key { key_place } else { &child.place };
        }
        place
    }
}

struct Conversion<'a> {
    text: usize,
    base: usize,
    unfit: &'a mut Vec<Unfit>,
}

impl Conversion<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place { text: self.text, span: span.start + self.base..span.end + self.base }
    }

    fn convert(&mut self, value: &DeValue<'_>, span: Range<usize>, depth: usize) -> Option<Node> {
        match self.content(value, depth) {
            Ok(content) => Some(Node { place: self.place(span), content }),
            Err(message) => {
                let place = self.place(span);
                self.unfit.push(Unfit { place, message });
                None
            }
        }
    }

    fn content(&mut self, value: &DeValue<'_>, depth: usize) -> Result<Content, String> {
        if depth > DEEPEST {
            return Err(format!("nested more than {DEEPEST} deep"));
        }
        Ok(match value {
            DeValue::String(string) => Content::Scalar(Value::from(string.as_ref())),
            DeValue::Boolean(boolean) => Content::Scalar(Value::from(*boolean)),
            // JSON has no moments; whoever wants one reads the text.
            DeValue::Datetime(datetime) => Content::Scalar(Value::from(datetime.to_string())),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Content::Scalar(Value::from(number)),
                Err(_) => return Err(format!("{integer} is not a number that fits 64 bits")),
            },
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Content::Scalar(whole_as_integer(number)),
                _ => return Err(format!("{float} is not a finite number")),
            },
            DeValue::Array(items) => Content::List(
                items
                    .iter()
                    .filter_map(|item| self.convert(item.get_ref(), item.span(), depth + 1))
                    .collect(),
            ),
            DeValue::Table(table) => Content::Table(
                table
                    .iter()
                    .filter_map(|(key, value)| {
                        let value = self.convert(value.get_ref(), value.span(), depth + 1)?;
                        Some((key.get_ref().to_string(), Entry { key: self.place(key.span()), value }))
                    })
                    .collect(),
            ),
        })
    }
}

fn whole_as_integer(number: f64) -> Value {
    // Up to 2^53 every whole float is exactly one integer.
    match number.fract() == 0.0 && number.abs() <= (1_u64 << 53) as f64 {
        true => Value::from(number as i64),
        false => Value::from(number),
    }
}

/// The segments of a JSON pointer, escapes undone.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// A segment of a JSON pointer, escaped.
pub(super) fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}
