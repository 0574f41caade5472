"""How fast is webhook-fuzz, each figure beside what it is compared with?

Run by `make bench` (`python -m benchmarks` in the root of the repository). What is measured and
what it is compared with take turns in one run, so that a busy machine slows down both; medians
with their spread (least to most) are shown, and nothing here fails because something was slow.
"""
