"""What do all webhooks together do to a pod, and which one of them did it?"""
