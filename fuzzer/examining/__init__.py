"""How is a cluster asked whether it can run a feature, and in which order?"""
