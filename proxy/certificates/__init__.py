"""With which certificate does the proxy answer, and whom does it let in?"""
