//! A narrow terminal for tests, as far as drawing a status needs one.

use std::{
    io,
    sync::{Arc, Mutex},
};

use indicatif::TermLike;

pub(super) const COLUMNS: usize = 40;

/// A terminal, as far as a status needs one: what is in the last column wraps only when more comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Terminal(Arc<Mutex<Screenful>>);

#[derive(Debug, Default)]
struct Screenful {
    rows: Vec<[char; COLUMNS]>,
    row: usize,
    column: usize,
}

impl Screenful {
    fn row(&mut self) -> &mut [char; COLUMNS] {
        self.rows.resize(self.rows.len().max(self.row + 1), [' '; COLUMNS]);
        &mut self.rows[self.row]
    }

    fn put(&mut self, symbol: char) {
        match symbol {
            '\r' => self.column = 0,
            '\n' => (self.row, self.column) = (self.row + 1, 0),
            _ => {
                if self.column == COLUMNS {
                    (self.row, self.column) = (self.row + 1, 0);
                }
                let column = self.column;
                self.row()[column] = symbol;
                self.column += 1;
            }
        }
    }
}

impl Terminal {
    pub(super) fn shown(&self) -> String {
        let rows: Vec<String> = self.0.lock().unwrap().rows.iter().map(String::from_iter).collect();
        rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    fn change(&self, change: impl FnOnce(&mut Screenful)) -> io::Result<()> {
        change(&mut self.0.lock().unwrap());
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        COLUMNS as u16
    }

    fn height(&self) -> u16 {
        20
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.row = screen.row.saturating_sub(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.row += n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.column = (screen.column + n).min(COLUMNS - 1))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.column = screen.column.saturating_sub(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.change(|screen| text.chars().chain(['\n']).for_each(|symbol| screen.put(symbol)))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.change(|screen| text.chars().for_each(|symbol| screen.put(symbol)))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.change(|screen| {
            *screen.row() = [' '; COLUMNS];
            screen.column = 0;
        })
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
