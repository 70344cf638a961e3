//! A run config's files as a ConfigMap, and back in their folders as a volume.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, KeyToPath},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// Most bytes that a ConfigMap holds.
pub const MOST_FILES: usize = 1 << 20;

/// Files by their paths. What is text stays legible.
pub(super) fn config_map(metadata: ObjectMeta, files: &BTreeMap<String, Vec<u8>>) -> ConfigMap {
    let (mut data, mut binary_data) = (BTreeMap::new(), BTreeMap::new());
    for (key, (_, content)) in keyed(files) {
        match String::from_utf8(content.clone()) {
            Ok(text) => drop(data.insert(key, text)),
            Err(error) => drop(binary_data.insert(key, ByteString(error.into_bytes()))),
        }
    }
    ConfigMap {
        metadata,
        data: Some(data).filter(|data| !data.is_empty()),
        binary_data: Some(binary_data).filter(|data| !data.is_empty()),
        immutable: None,
    }
}

/// Where a volume of that ConfigMap puts each of them.
pub(super) fn items(files: &BTreeMap<String, Vec<u8>>) -> Vec<KeyToPath> {
    let item = |(key, (path, _)): (String, (&String, _))| KeyToPath { key, path: path.clone(), mode: None };
    keyed(files).into_iter().map(item).collect()
}

/// Each file by its key: a ConfigMap knows no folders.
fn keyed(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, (&String, &Vec<u8>)> {
    let mut keyed = BTreeMap::new();
    for (path, content) in files {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let plain: String = path.chars().map(|c| if fits(c) { c } else { '_' }).collect();
        // What is a key already, or cannot be one, has a number before it.
        let numbered = (2..).map(|number| format!("{number}_{plain}"));
        let mut candidates = std::iter::once(plain.clone()).chain(numbered);
        let free = |key: &String| !key.starts_with("..") && !keyed.contains_key(key);
        let key = candidates.find(free).unwrap_or_default();
        keyed.insert(key, (path, content));
    }
    keyed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_key_of_its_own_and_comes_back_into_its_folder() {
        let names = ["a.toml", "places/a.toml", "places_a.toml", "..odd", "größe.csv", "own.wasm"];
        let content = |name: &str| if name == "own.wasm" { vec![0xff] } else { name.as_bytes().to_vec() };
        let files = names.map(|name| (name.to_owned(), content(name))).into();
        let map = config_map(ObjectMeta::default(), &files);
        let (data, binary_data) = (map.data.expect("texts"), map.binary_data.expect("others"));
        assert_eq!((data.len(), binary_data.len()), (5, 1));
        for item in items(&files) {
            let text = data.get(&item.key).map(|text| text.as_bytes().to_vec());
            let kept = text.or_else(|| Some(binary_data.get(&item.key)?.0.clone()));
            assert_eq!(kept.as_ref(), files.get(&item.path), "{item:?}");
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            assert!(item.key.chars().all(fits) && !item.key.starts_with(".."), "{item:?}");
        }
        assert_eq!(items(&files).len(), files.len());
    }
}
