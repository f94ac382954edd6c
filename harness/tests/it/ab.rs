//! Runs that are repeated, and servers that take turns.
