"""The recording TLS proxy between API server and webhook: knows HTTP and TLS, judges nothing."""
