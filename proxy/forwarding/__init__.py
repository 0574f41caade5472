"""How does a request get to the webhook and its answer back, unchanged?"""
