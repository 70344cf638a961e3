//! The root file system that all instances of a stack share: what it is made of, and where it lies.
//!
//! It is built once, by `make rootfs`, in a folder whose name follows from what is in it. The lab
//! only looks it up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::plan::User;

/// The distribution's release that packages come from.
pub const SUITE: &str = "bookworm";

/// What the lab itself needs, whatever the stack wants: links and packet filters.
const OWN_PACKAGES: [&str; 2] = ["iproute2", "nftables"];

/// Changes when root file systems are built in another way, so that old ones are not used.
const EDITION: &str = "assay-rootfs-1";

/// What a root file system is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    packages: BTreeSet<String>,
    files: BTreeMap<String, String>,
}

impl Recipe {
    pub(super) fn new(packages: &[String], files: &BTreeMap<String, String>) -> Self {
        let own = OWN_PACKAGES.iter().map(|package| (*package).to_owned());
        Self { packages: packages.iter().cloned().chain(own).collect(), files: files.clone() }
    }

    /// Names of Debian packages, sorted.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(String::as_str)
    }

    /// Files that must be there before packages are installed.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Where it lies once it is built.
    pub fn path(&self) -> PathBuf {
        cache().join(format!("rootfs-{}", self.digest()))
    }

    /// The same for equal contents.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        add(EDITION);
        add(SUITE);
        self.packages().for_each(&mut add);
        for (path, text) in self.files() {
            add(path);
            add(text);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Root file systems belong to root and serve everyone on the machine, whoever called `sudo`.
fn cache() -> PathBuf {
    match std::env::var_os("ASSAY_CACHE_DIR") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => "/var/cache/assay".into(),
    }
}

/// A user as the root file system knows them.
pub(super) fn user(rootfs: &Path, name: &str) -> Result<User, String> {
    let text = fs_err::read_to_string(rootfs.join("etc/passwd")).map_err(|error| error.to_string())?;
    text.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let (found, _, uid, gid, _, home) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            (found == name).then_some(())?;
            Some(User {
                name: name.to_owned(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: home.to_owned(),
            })
        })
        .ok_or_else(|| format!("user: the root file system has no user '{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(packages: &[&str]) -> Recipe {
        let packages: Vec<_> = packages.iter().map(|one| (*one).to_owned()).collect();
        Recipe::new(&packages, &BTreeMap::new())
    }

    #[test]
    fn the_place_follows_from_the_contents_and_not_from_their_order() {
        assert_eq!(recipe(&["b", "a"]).path(), recipe(&["a", "b", "nftables"]).path());
        assert_ne!(recipe(&["a"]).path(), recipe(&["a", "b"]).path());
        assert_ne!(recipe(&["ab", "c"]).path(), recipe(&["a", "bc"]).path());
    }

    #[test]
    fn users_are_looked_up_in_the_root_file_system() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("etc")).expect("made");
        std::fs::write(
            folder.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\ndb:x:7:8::/var/db:/bin/sh\n",
        )
        .expect("written");
        let found = user(folder.path(), "db").expect("is there");
        assert_eq!((found.uid, found.gid, found.home.as_str()), (7, 8, "/var/db"));
        let error = user(folder.path(), "nobody").expect_err("is not there");
        assert_eq!(error, "user: the root file system has no user 'nobody'");
    }
}
