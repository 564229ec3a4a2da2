# make setup            .venv with pinned wheels, the messages, the command .venv/bin/humor-ros
# make test             lint, types and all tests (sets up first)
# make demo [VIDEO=...] track people in a video through ROS 2, end to end (sets up first)
# make lint | clean
#
# PYTHON=python3.12 chooses the interpreter, TORCH=default the CUDA build of PyTorch.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup lint test demo clean

IN_ENV := . scripts/env.sh &&

# Tests and the demo keep to this machine, and to one domain per run.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
ifndef ROS_DOMAIN_ID
ROS_DOMAIN_ID := $(shell echo $$(( $$$$ % 100 + 1 )))
endif
export ROS_DOMAIN_ID
# One thread per library: two cores are shared by several processes.
export OMP_NUM_THREADS ?= 1

VIDEO ?=
PYTEST_ARGS ?=

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup:
	@scripts/setup.sh

lint: setup
	@$(IN_ENV) ruff check . && ruff format --check . && mypy

test: lint
	@$(IN_ENV) python -m pytest $(PYTEST_ARGS)

demo: setup
	@$(IN_ENV) humor-ros demo --video "$$(scripts/demo_video.sh "$(VIDEO)")"

clean:
	rm -rf build install log out runs .cache .venv *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
