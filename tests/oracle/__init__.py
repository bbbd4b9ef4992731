"""The oracle: one judge of the product's promises, for every test that breaks something.

:mod:`judge` decides by values alone; :mod:`look` fetches those values from a running installation.
"""
