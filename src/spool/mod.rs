//! Durable writes: a run appears whole or not at all. Nobody else calls fsync or rename.
