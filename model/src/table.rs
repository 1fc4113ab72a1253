//! A table over dense row numbers that shares everything with its clones until a row is written.
//!
//! The state of a machine is a handful of these. Cloning one copies a vector of pointers (one for each chunk of rows),
//! so that a fork of a world with a hundred thousand rows takes microseconds, and a write afterwards copies one chunk
//! of pointers and one row. Rows are found by number; names belong to indexes at the edge.

use std::sync::Arc;

const CHUNK: usize = 256;

/// Rows behind shared pointers, by dense number.
#[derive(Debug)]
pub struct Table<T> {
    chunks: Vec<Arc<Vec<Option<Arc<T>>>>>,
    len: usize,
    free: Vec<u32>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len, free: self.free.clone() }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0, free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row of this number.
    #[must_use]
    pub fn get(&self, row: u32) -> Option<&Arc<T>> {
        let (chunk, slot) = place(row);
        self.chunks.get(chunk)?.get(slot)?.as_ref()
    }

    /// Puts a row into the first free number, and tells which that is.
    pub fn insert(&mut self, value: Arc<T>) -> u32 {
        let row = match self.free.pop() {
            Some(row) => row,
            None => self.end(),
        };
        self.set(row, value);
        row
    }

    /// Puts a row at this number, and gives back what was there.
    pub fn set(&mut self, row: u32, value: Arc<T>) -> Option<Arc<T>> {
        let (chunk, slot) = place(row);
        while self.chunks.len() <= chunk {
            self.chunks.push(Arc::new(Vec::new()));
        }
        let rows = Arc::make_mut(&mut self.chunks[chunk]);
        while rows.len() <= slot {
            rows.push(None);
        }
        let before = rows[slot].replace(value);
        if before.is_none() {
            self.len += 1;
        }
        before
    }

    /// Takes a row out; its number may be given out again.
    pub fn remove(&mut self, row: u32) -> Option<Arc<T>> {
        let (chunk, slot) = place(row);
        let taken = Arc::make_mut(self.chunks.get_mut(chunk)?).get_mut(slot)?.take()?;
        self.len -= 1;
        self.free.push(row);
        Some(taken)
    }

    /// All rows with their numbers, in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Arc<T>)> {
        self.chunks.iter().enumerate().flat_map(|(chunk, rows)| {
            rows.iter().enumerate().filter_map(move |(slot, value)| {
                let row = u32::try_from(chunk * CHUNK + slot).expect("row numbers are given out as u32");
                value.as_ref().map(|value| (row, value))
            })
        })
    }

    fn end(&self) -> u32 {
        let end = match self.chunks.last() {
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len(),
            None => 0,
        };
        u32::try_from(end).expect("a table holds fewer than 2^32 rows")
    }
}

impl<T: Clone> Table<T> {
    /// The row of this number for writing; copied first if a clone of the table shares it.
    pub fn get_mut(&mut self, row: u32) -> Option<&mut T> {
        let (chunk, slot) = place(row);
        let value = Arc::make_mut(self.chunks.get_mut(chunk)?).get_mut(slot)?.as_mut()?;
        Some(Arc::make_mut(value))
    }
}

fn place(row: u32) -> (usize, usize) {
    let row = row as usize;
    (row / CHUNK, row % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_the_original_loses() {
        let mut table = Table::new();
        for n in 0..1000u32 {
            assert_eq!(table.insert(Arc::new(n)), n);
        }
        let fork = table.clone();
        *table.get_mut(500).expect("row 500 was put in") = 7;
        assert_eq!(table.remove(999).as_deref(), Some(&999));
        assert_eq!((table.len(), fork.len()), (999, 1000));
        assert_eq!((table.get(500).map(|n| **n), fork.get(500).map(|n| **n)), (Some(7), Some(500)));
        assert_eq!(table.insert(Arc::new(1)), 999, "a freed number is given out again");
        assert_eq!(fork.iter().map(|(row, _)| row).collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
    }
}
