"""The corpus: recordings whose truth is known because we broke them ourselves, and as many that are whole.

A *reel* is what an encoder made, as packets in memory; a *case* is files cut from reels, what they claim, and what must be
found in them. The truth comes from the cutting alone, never from the code under test.

``python -m tests.corpus`` prints the table, ``--write`` renders ``docs/corpus.md``, ``fuzz`` runs the mutations.
"""
