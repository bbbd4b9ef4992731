"""Unbroken: recordings in, proof out.

    connector -> PROBE -> CONTINUITY -> CHAIN -> STITCH -> ARCHIVE -> DEADLINE

One noun per stage; each has a module in ``domain``, an agent in ``agents`` and one topic out (``wire.topics``).
Imports point one way: ``demo -> cli -> app -> reporting -> agents, connectors, adapters -> steps -> wire, ports, settings,
metrics, policy -> domain`` (ARCHITECTURE.md says what lies where). Every decision is a pure function in ``domain``; everything that can fail for reasons of its own is an
adapter behind ``ports``.
"""
