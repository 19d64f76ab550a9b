//! The engines against one another.

mod agree;
mod boxes;
mod boxes_and_diagrams;
mod outside;
mod rule_sets;
