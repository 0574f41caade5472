"""What is wrong with webhook configurations, before any pod is sent?"""
