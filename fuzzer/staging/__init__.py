"""What is done on a staging cluster, and what comes of it?"""
