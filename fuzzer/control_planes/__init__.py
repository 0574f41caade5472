"""How does one get a Kubernetes API server for a few minutes, and be sure that it is gone?"""
