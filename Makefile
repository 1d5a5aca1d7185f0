# Quickstep. `make demo` and `make test` do everything from a fresh machine; the rest is for development.
SHELL := /bin/bash
export PKG_CONFIG_PATH := $(CURDIR)/.libtorch:$(PKG_CONFIG_PATH)
SWIFT ?= swift
# One configuration for program and tests: nothing is built twice.
BUILD := $(SWIFT) build -c release
PROGRAM := .build/release/quickstep
OUT ?= out

.PHONY: demo test test-all build setup bench bench-peers parity format lint docs clean help

help:            ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup:           ## place libtorch and system libraries (idempotent; offline once done)
	@Scripts/setup.sh

build: setup     ## build the program
	$(BUILD) --product quickstep

demo: build      ## pictures from prompts, by the built-in models
	@Scripts/demo.sh $(PROGRAM) $(OUT)/demo

test: setup      ## build and run the tests (a few minutes)
	$(BUILD) --build-tests
	$(SWIFT) test -c release --skip-build

test-all: test parity ## everything, with goldens made anew from the reference libraries

parity: build    ## make all goldens anew from PyPI's torch and diffusers and compare
	@Parity/run.sh

bench: build     ## the figures of Benchmarks/RESULTS.md
	@Benchmarks/run.sh

bench-peers: build ## published sizes against OpenVINO, diffusers and torch.compile; takes hours
	@Benchmarks/peers/run.sh

format:          ## format all Swift code
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift

lint:            ## check formatting, file sizes and house rules
	@Scripts/lint.sh

docs: setup      ## build the DocC catalogues into out/docs
	@Scripts/docs.sh $(OUT)/docs

clean:
	rm -rf .build $(OUT)
