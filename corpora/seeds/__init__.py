"""Which pods does everything start from: the shipped ones, and those of a user's manifests?"""
