//! Questions and pictures, as they are answered.

mod brute;
mod explain;
mod make;
mod replay;
mod show;
mod show_drawings;
mod show_schema;
