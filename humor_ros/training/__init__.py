"""Training of the packaged weights from synthetic projections of motion capture."""
