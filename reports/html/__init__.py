"""One self-contained page: what broke, where, and how to see it again."""
