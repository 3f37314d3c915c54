//! Pure. Tables of telephone numbers, prefixes and ranges of any size, each with the columns of a file.
//!
//! In:    rows, once ([`Builder`]), or the image of a table; later, numbers.
//! Out:   entries, rows and their values; the image of a table.
//! Never: opens a file, allocates while it looks something up, panics for what an image says.

mod assemble;
mod block;
mod build;
mod change;
mod dictionary;
mod directory;
mod image;
mod key;
mod line;
mod matches;
mod near;
mod packed;
mod ranges;
mod rows;
mod run;
mod scatter;
mod segments;
mod shape;
mod sorted;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use build::{Builder, Built, Twin, Twins};
pub use change::Change;
pub use image::{IMAGE_MAGIC, IMAGE_VERSION, ImageFault};
pub use key::RowFault;
pub use near::Near;
pub use shape::{KeyColumns, Kind, Row, Shape};
pub use table::{Hit, Table};
pub use words::Words;
