//! `--set phases.peak.users=50`: lays single values over what the files say.

use toml::de::DeValue;

use super::{
    diagnostic::Diagnostic,
    explain::choices,
    sources::Texts,
    tree::{Content, Entry, Node, Place},
};

/// Most parts of a path: more could only build a tree too deep to walk.
const LONGEST: usize = 16;

/// A part of the path before `=`, with its place in the argument.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    name: String,
    start: usize,
    end: usize,
}

/// Lays one `--set` argument over the tree.
pub(super) fn apply(root: &mut Node, texts: &mut Texts, argument: &str) -> Result<(), Diagnostic> {
    let text = texts.add("--set", argument.to_owned(), None);
    let whole = Place { text, span: 0..argument.len() };
    let (path, value_start) = split(argument).map_err(|problem| {
        texts.diagnostic(&whole, problem).with_help("write --set PATH=VALUE, such as phases.peak.users=50")
    })?;
    let value = value(argument, value_start, text, texts)?;
    descend(root, &path, text, value).map_err(|(segment, message, help)| {
        let place = Place { text, span: segment };
        texts.diagnostic(&place, message).with_help(help)
    })
}

/// A TOML value, or else the text as it stands.
fn value(argument: &str, start: usize, text: usize, texts: &Texts) -> Result<Node, Diagnostic> {
    let written = &argument[start..];
    let mut unfit = Vec::new();
    let node = match DeValue::parse(written) {
        Ok(value) => Node::from_toml(&value, text, start, &mut unfit),
        Err(_) => None,
    };
    if let Some(one) = unfit.into_iter().next() {
        return Err(texts.diagnostic(&one.place, one.message));
    }
    Ok(node.unwrap_or_else(|| Node {
        place: Place { text, span: start..argument.len() },
        content: Content::Scalar(written.into()),
    }))
}

/// The path and where the value begins. Segments with dots in them stand in double quotes.
fn split(argument: &str) -> Result<(Vec<Segment>, usize), String> {
    let mut path = Vec::new();
    let (mut name, mut start, mut quoted) = (String::new(), 0, false);
    for (index, character) in argument.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '.' | '=' if !quoted => {
                if name.trim().is_empty() {
                    return Err("the path has an empty part".to_owned());
                }
                if path.len() == LONGEST {
                    return Err(format!("the path has more than {LONGEST} parts"));
                }
                path.push(Segment { name: name.trim().to_owned(), start, end: index });
                if character == '=' {
                    return Ok((path, index + 1));
                }
                name.clear();
                start = index + 1;
            }
            other => name.push(other),
        }
    }
    Err("there is no `=`".to_owned())
}

type Refusal = (std::ops::Range<usize>, String, String);

fn descend(node: &mut Node, path: &[Segment], text: usize, value: Node) -> Result<(), Refusal> {
    let Some((segment, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    let refuse = |message: String, help: String| Err((segment.start..segment.end, message, help));
    match &mut node.content {
        Content::Table(entries) => {
            let key = Place { text, span: segment.start..segment.end };
            // A missing key may be one that is optional; the schema knows which exist.
            let entry = entries
                .entry(segment.name.clone())
                .or_insert_with(|| Entry { key: key.clone(), value: Node::table(key.clone()) });
            if rest.is_empty() {
                entry.key = key;
            }
            descend(&mut entry.value, rest, text, value)
        }
        Content::List(items) => match position(items, &segment.name) {
            Ok(index) => match items.get_mut(index) {
                Some(item) => descend(item, rest, text, value),
                None => refuse(
                    format!("there is no entry {index}"),
                    match items.len() {
                        0 => "the list is empty".to_owned(),
                        len => format!("the list has {len} entries, counted from 0"),
                    },
                ),
            },
            Err(message) => {
                let names: Vec<_> = items.iter().filter_map(|item| name(item).map(str::to_owned)).collect();
                refuse(message, choices(&segment.name, &names))
            }
        },
        Content::Scalar(scalar) => refuse(
            format!("there is nothing below {scalar}, so no `{}`", segment.name),
            "the path goes on below something that is neither a table nor a list".to_owned(),
        ),
    }
}

/// Which entry of a list a segment names: by its `name`, by its `plugin`, or by its number.
fn position(items: &[Node], segment: &str) -> Result<usize, String> {
    if let Ok(index) = segment.parse::<usize>() {
        return Ok(index);
    }
    let matching = |key: &str| {
        let same = |item: &&(usize, &Node)| text_at(item.1, key) == Some(segment);
        items
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .iter()
            .filter(same)
            .map(|(at, _)| *at)
            .collect::<Vec<_>>()
    };
    for key in ["name", "plugin"] {
        match matching(key).as_slice() {
            [] => {}
            [one] => return Ok(*one),
            several => {
                let numbers: Vec<_> = several.iter().map(ToString::to_string).collect();
                return Err(format!(
                    "several entries have the {key} `{segment}`: use the number, one of {}",
                    numbers.join(", ")
                ));
            }
        }
    }
    Err(format!("no entry of the list is called `{segment}`"))
}

fn name(item: &Node) -> Option<&str> {
    text_at(item, "name").or_else(|| text_at(item, "plugin"))
}

fn text_at<'a>(item: &'a Node, key: &str) -> Option<&'a str> {
    match &item.child(key)?.1.content {
        Content::Scalar(value) => value.as_str(),
        _ => None,
    }
}
