//! What instances print: kept in a file each, bounded, and quoted without secrets.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A log that has grown to this is cut down to its end.
const MOST: u64 = 4 << 20;

/// What is kept of it then.
const KEPT: u64 = 256 << 10;

/// Where an instance's log is.
pub(super) fn path(state: &Path, instance: &str) -> PathBuf {
    state.join("logs").join(format!("{instance}.log"))
}

/// Opens it for one more start.
pub(super) fn open(state: &Path, instance: &str) -> io::Result<File> {
    fs_err::create_dir_all(state.join("logs"))?;
    File::options().create(true).append(true).mode(0o600).open(path(state, instance))
}

/// Cuts a log that has become too long. Its writers append, so they go on behind what is kept.
pub(super) fn bound(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MOST => {}
        _ => return Ok(()),
    }
    let end = end_of(path, KEPT)?;
    let mut file = File::options().append(true).open(path)?;
    file.set_len(0)?;
    file.write_all(&end)
}

/// The last lines, with `hidden` values replaced.
pub(super) fn tail(path: &Path, lines: usize, hidden: &[String]) -> io::Result<String> {
    let bytes = match end_of(path, 64 << 10) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        read => read?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    Ok(hide(&all[all.len().saturating_sub(lines)..].join("\n"), hidden))
}

/// A text without these values.
pub(super) fn hide(text: &str, hidden: &[String]) -> String {
    hidden.iter().fold(text.to_owned(), |text, value| match value.is_empty() {
        true => text,
        false => text.replace(value, "[redacted]"),
    })
}

fn end_of(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_hide_secrets_and_need_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.log");
        assert_eq!(tail(&path, 3, &[]).expect("no file is no log"), "");
        std::fs::write(&path, "one\ntwo\npassword hush hush\nfour\n").expect("written");
        let text = tail(&path, 2, &["hush".to_owned()]).expect("read");
        assert_eq!(text, "password [redacted] [redacted]\nfour");
    }

    #[test]
    fn long_logs_keep_their_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.log");
        let mut text = vec![b'x'; 5 << 20];
        text.extend(b"the end\n");
        std::fs::write(&path, &text).expect("written");
        bound(&path).expect("bounded");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), KEPT);
        assert!(std::fs::read(&path).expect("there").ends_with(b"the end\n"));
    }
}
