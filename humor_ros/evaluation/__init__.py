"""Scores of motion against ground truth."""
