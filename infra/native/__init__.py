"""The local stack of real services, without containers: Kafka, Ceph RGW, Prometheus, Alertmanager.

Plain standard library, so that it runs before any virtual environment exists. One file per service; ``daemon`` starts and
ends processes, ``packages`` installs what is missing. Everything listens on loopback only and lives in one state folder.
"""
