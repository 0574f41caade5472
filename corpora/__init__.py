"""What is known and what was seen: shapes, fields, probes, seed pods, triggers; no network."""
