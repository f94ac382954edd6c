//! Several servers on one Redis behave as one.
