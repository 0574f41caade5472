"""How do exchanges get off the request path?"""
