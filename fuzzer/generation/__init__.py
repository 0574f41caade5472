"""Which pods are sent to a webhook?"""
