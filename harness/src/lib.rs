//! Load-testing and chaos harness for WebSocket chat services.
