//! The config's folder: nothing that a config names may lie outside it.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// The folder of the config that was named on the command line.
#[derive(Debug)]
pub(super) struct Folder {
    /// As given, for paths that people read.
    given: PathBuf,
    canonical: PathBuf,
}

/// A file below the folder.
#[derive(Debug)]
pub(super) struct Found {
    /// Begins as the config's own path did.
    pub(super) path: PathBuf,
    /// Relative to the folder, without `.` and `..`.
    pub(super) relative: PathBuf,
    pub(super) canonical: PathBuf,
}

impl Folder {
    /// The folder that a config lies in.
    pub(super) fn of(config: &Path) -> io::Result<Self> {
        let given = match config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { canonical: given.canonicalize()?, given })
    }

    /// The file that `text` names, relative to `from`, which is itself relative to this folder. A
    /// refusal is a lowercase fragment.
    pub(super) fn find(&self, from: &Path, text: &str) -> Result<Found, String> {
        let relative = below(from, text)?;
        let path = match self.given.as_os_str() == "." {
            true => relative.clone(),
            false => self.given.join(&relative),
        };
        let canonical = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            _ => format!("{} cannot be reached: {error}", path.display()),
        })?;
        // Links count for where they lead.
        if !canonical.starts_with(&self.canonical) {
            return Err(format!("`{text}` leaves the config's folder through a symbolic link"));
        }
        if !canonical.is_file() {
            return Err(format!("{} is not a file", path.display()));
        }
        Ok(Found { path, relative, canonical })
    }
}

/// Joins without leaving: `..` may go back up only as far as the folder itself.
fn below(from: &Path, text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("the path holds a NUL character".to_owned());
    }
    let mut joined = from.to_owned();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => joined.push(name),
            Component::CurDir => {}
            Component::ParentDir if joined.pop() => {}
            Component::ParentDir => return Err(format!("`{text}` leaves the config's folder")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!("`{text}` leaves the config's folder: it is absolute"));
            }
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        let from = Path::new("inner");
        assert_eq!(below(from, "../stacks/./a.toml"), Ok(PathBuf::from("stacks/a.toml")));
        assert!(below(from, "../../a.toml").is_err());
        assert!(below(from, "../inner/../../a.toml").is_err());
        assert!(below(from, "/etc/passwd").is_err());
        assert!(below(from, "").is_err());
        assert!(below(from, "a\0b").is_err());
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let outside = tempfile::tempdir().expect("a folder");
        let inside = tempfile::tempdir().expect("a folder");
        fs_err::write(outside.path().join("secret.toml"), "").expect("written");
        fs_err::write(inside.path().join("own.toml"), "").expect("written");
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, inside.path().join(name)).expect("linked");
        };
        link(&outside.path().join("secret.toml"), "out.toml");
        link(outside.path(), "out");
        link(&inside.path().join("own.toml"), "in.toml");
        let folder = Folder::of(&inside.path().join("run.toml")).expect("exists");
        let find = |text| folder.find(Path::new(""), text).map(|found| found.relative);
        assert_eq!(find("in.toml"), Ok(PathBuf::from("in.toml")));
        for text in ["out.toml", "out/secret.toml"] {
            assert!(find(text).expect_err(text).contains("symbolic link"));
        }
        assert!(find("missing.toml").expect_err("missing").contains("there is no file"));
        assert!(find("out/../out").is_err());
    }
}
