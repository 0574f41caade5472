"""How does a cluster call the proxy instead of its webhooks, and how is that undone?"""
