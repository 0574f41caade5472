"""What is different between two pods, told by keyed path?"""
