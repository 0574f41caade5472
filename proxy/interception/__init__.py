"""How do webhooks of a cluster come to be called through the proxy, and back again?"""
