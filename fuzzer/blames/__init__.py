"""Who put each field of a pod there, and who took what is missing?"""
