//! A file without a name, for what is read seldom and is too much to keep in memory for a whole run.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Takes bytes and gives them back. Made in the folder for temporary files when the first ones come; gone
/// with the process, however it ends.
#[derive(Debug, Default)]
pub(super) struct Spool {
    /// None if it could not be made.
    file: OnceLock<Option<File>>,
    end: AtomicU64,
}

/// Where some bytes are.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    spool: Arc<Spool>,
    at: u64,
    length: u32,
}

impl Spool {
    /// Fails if there is no room for them, or no file.
    pub(super) fn store(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Stored> {
        let file = self.file.get_or_init(|| tempfile::tempfile().ok());
        let file = file.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let at = self.end.fetch_add(length.into(), Ordering::Relaxed);
        file.write_all_at(bytes, at)?;
        Ok(Stored { spool: self.clone(), at, length })
    }
}

impl Stored {
    /// What was stored; nothing, and a word in the log, if the disk has lost it.
    pub(super) fn load(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        let file = self.spool.file.get().and_then(Option::as_ref).ok_or(io::ErrorKind::NotFound.into());
        if let Err(error) = file.and_then(|file| file.read_exact_at(&mut bytes, self.at)) {
            tracing::error!("figures of one second are lost with the temporary file that held them: {error}");
            bytes.clear();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded() {
        let spool: Arc<Spool> = Arc::default();
        let stored: Vec<_> =
            (0..100_u8).map(|length| spool.store(&vec![length; length.into()]).expect("room")).collect();
        for (length, stored) in (0..100_u8).zip(&stored).rev() {
            assert_eq!(stored.load(), vec![length; length.into()]);
        }
    }
}
