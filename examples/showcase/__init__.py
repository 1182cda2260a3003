"""The showcase: each feature of heaven-core in a handler of its own, and a page that shows them live.

python -m examples.showcase
"""
