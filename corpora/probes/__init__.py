"""What is the smallest valid fragment that sets a given pod field?"""
