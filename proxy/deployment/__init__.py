"""How does the proxy get into a cluster, and out of it again?"""
