"""The runner's real-broker tests on other Kafka versions (``make test-brokers``)."""
