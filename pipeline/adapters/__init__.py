"""Adapters: everything outside, behind ``ports``; what begins alike belongs together.

``media``        chooses who reads a file by its first bytes. ``media_mp4*`` and ``media_ts*`` read theirs directly, out of the
                 parts ``media_bmff``, ``media_stsd``, ``media_clocks``, ``media_udta`` and ``media_psi``, ``media_es``;
                 ``media_av`` reads all others, and a second time as referee. ``media_stamps`` makes a reading's times.
``media_pool``   has all of that done in processes that may die (``media_place``, ``media_process``).
``objects_*``    the store: S3, its twin in memory, a copied folder; ``objects_put`` is how a key gets its bytes once,
                 ``objects_answers`` what the store's errors mean.
``kafka_*``      the broker beside the workers' own client, which is in ``agents``.
"""
