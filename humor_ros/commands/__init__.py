"""One module for each command of ``humor-ros``; heavy imports stay inside the functions."""
