"""The API server's rules, the cases sent to a webhook, and the checks that judge its answers."""
