"""What does a real cluster say about itself, and how is it asked without changing it?"""
