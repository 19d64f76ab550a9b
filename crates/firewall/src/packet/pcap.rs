//! Packets out of captures.

/// How a note about the guessed state begins.
pub(crate) const STATE_NOTE: &str = "its state is taken";
