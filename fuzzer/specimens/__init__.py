"""What does a broken webhook look like from the outside?

Small webhooks, each with one known fault or none. They are the program's own proof: whoever doubts
a finding, or wants to see what a lost sidecar looks like, runs one (`webhook-fuzz demo`).
"""
