"""Real mutating webhooks, built from published Go modules, to test against."""
