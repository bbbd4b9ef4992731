"""``python -m pipeline.cli`` is ``unbroken``."""

from pipeline.cli import main

main()
