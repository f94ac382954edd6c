//! Toxiproxy-compatible fault proxy and the one async client for its API.
