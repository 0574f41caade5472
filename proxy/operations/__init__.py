"""How does the proxy run: processes, health, metrics, stopping?"""
