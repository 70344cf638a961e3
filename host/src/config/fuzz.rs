//! No input makes the loader panic: right configs, wrecked.

use proptest::prelude::*;

use super::{
    ConfigOrigin, LoadOptions, PluginUse, check_schema, load,
    testing::{RIGHT, load_text},
};

/// What files are made of, and what hurts.
const PIECES: [&str; 24] = [
    "=",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\n",
    "[[",
    "]]",
    ".",
    ",",
    "#",
    "\\",
    "-1",
    "nan",
    "1e400",
    "9223372036854775808",
    "\u{feff}",
    "ä",
    "\u{0}",
    "'''",
    "name",
    "include = [\"run.toml\"]\n",
    "2026-01-01T00:00:00Z",
];

#[derive(Debug, Clone)]
enum Wreck {
    Remove(usize, usize),
    Insert(usize, usize),
    Copy(usize, usize, usize),
}

fn wreck() -> impl Strategy<Value = Wreck> {
    let at = 0..RIGHT.len();
    prop_oneof![
        (at.clone(), 0_usize..60).prop_map(|(at, len)| Wreck::Remove(at, len)),
        (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Wreck::Insert(at, piece)),
        (at.clone(), at, 0_usize..80).prop_map(|(from, to, len)| Wreck::Copy(from, to, len)),
    ]
}

fn wrecked(wrecks: &[Wreck]) -> String {
    let mut text = RIGHT.to_owned();
    for wreck in wrecks {
        let inside = |at: usize| text.floor_char_boundary(at.min(text.len()));
        match *wreck {
            Wreck::Remove(at, len) => drop(text.drain(inside(at)..inside(at + len)).count()),
            Wreck::Insert(at, piece) => text.insert_str(inside(at), PIECES[piece]),
            Wreck::Copy(from, to, len) => {
                let piece = text[inside(from)..inside(from + len)].to_owned();
                text.insert_str(inside(to), &piece);
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wrecked_configs_are_refused_or_loaded(wrecks in prop::collection::vec(wreck(), 1..6)) {
        if let Err(errors) = load_text(&wrecked(&wrecks), &LoadOptions::default()) {
            prop_assert!(!errors.errors().is_empty());
            prop_assert!(!errors.render(true).is_empty());
            let out_of_bounds = errors.to_string().contains("Failed to read contents");
            prop_assert!(!out_of_bounds);
        }
    }

    #[test]
    fn any_override_is_refused_or_applied(
        path in "[a-z0-9.\"= -]{0,24}",
        known in prop::sample::select(vec!["", "phases.peak.", "faults.0.", "credentials.db.", "profile.config."]),
        value in "\\PC{0,24}",
    ) {
        let options = LoadOptions { set: vec![format!("{known}{path}={value}")], ..LoadOptions::default() };
        if let Err(errors) = load_text(RIGHT, &options) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn any_file_of_rows_is_refused_or_read(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b",\n\r\"{}:a".to_vec())], 0..60),
        extension in prop::sample::select(vec!["csv", "jsonl"]),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.toml");
        let config = format!("{RIGHT}\n[feeds.words]\npath = \"words.{extension}\"\n");
        fs_err::write(&path, config).expect("written");
        fs_err::write(folder.path().join(format!("words.{extension}")), bytes).expect("written");
        match load(&path, &LoadOptions::default()) {
            Ok(config) => prop_assert!(config.feeds["words"].rows.get(0).is_some()),
            Err(errors) => {
                prop_assert_eq!(errors.errors().len(), 1);
                prop_assert!(errors.errors()[0].message.contains(&format!("words.{extension}:")), "{}", errors);
            }
        }
    }

    #[test]
    fn any_time_scale_is_refused_or_applied(scale in any::<f64>()) {
        let options = LoadOptions { time_scale: Some(scale), ..LoadOptions::default() };
        if let Ok(config) = load_text(RIGHT, &options) {
            prop_assert_eq!(config.planned_phases().len(), 2);
        }
    }

    #[test]
    fn any_schema_is_refused_or_used(schema in "\\{?[\"a-z$#/:{}\\[\\] ,0-9]{0,40}\\}?") {
        let config = serde_json::json!({ "a": [1, { "b": "c" }] });
        let uses = PluginUse { plugin: "any".to_owned(), config, origin: ConfigOrigin::default() };
        let _ = check_schema(&schema, &uses);
    }
}

/// The parser bounds tables in tables and dots in keys, each to 80; together they make 6,400.
#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let key = vec!["a"; 79].join(".");
    let text = format!("{}1{}", format!("{key} = {{ ").repeat(79), " }".repeat(79));
    let errors = load_text(&text, &LoadOptions::default()).expect_err("too deep");
    assert!(errors.to_string().contains("deep"), "{errors}");
}
