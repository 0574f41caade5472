"""Recordings: what passed between API server and webhooks, kept in files."""
