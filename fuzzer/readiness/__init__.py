"""Can this cluster really run a pod feature, and if not, what stands in the way?"""
