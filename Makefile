# Every task of the project. Each does its own set-up: a virtual environment in .venv and, as root, Debian's packages.

PY := .venv/bin/python
LAB_NEEDS := ip:iproute2 nft:nftables iptables:iptables sshd:openssh-server ssh:openssh-client tcpdump:tcpdump \
	tshark:tshark ping:iputils-ping modprobe:kmod sysctl:procps setpriv:util-linux zsh:zsh fish:fish mandoc:mandoc
TEST_NEEDS := nmap:nmap ndiff:ndiff
FUZZ_SECONDS := 30
MATRIX_NEEDS := dropbear:dropbear-bin plink:putty-tools openssl:openssl nsenter:util-linux
BENCH_NEEDS := nmap:nmap hyperfine:hyperfine
SWEEP_NEEDS := nmap:nmap zmap:zmap masscan:masscan

.PHONY: help setup packages check fix test browser lab demo bench bench-jobs bench-sweep captures ssh-matrix ssh-score docs pages dist coverage fuzz clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      build the lab, scan it, show the table, clean up"
	@echo "make test      everything: check, unit tests, the lab where root and namespaces allow"
	@echo "make check     ruff and mypy; never writes"
	@echo "make fix       what ruff can mend by itself"
	@echo "make browser   the report page, looked at in Chromium"
	@echo "make lab       every scenario of the lab, with the score (root)"
	@echo "make bench     times against nmap (root)"
	@echo "make bench-sweep  sweeps of 131,072 addresses against zmap, masscan and nmap (root)"
	@echo "make bench-jobs  captures read by several processes, against one"
	@echo "make captures  record captures/ anew from the lab (root)"
	@echo "make ssh-matrix  record captures/ssh/ anew: logins of real servers and clients (root; SSH_ROOT=DIR: newer programs)"
	@echo "make ssh-score  the measured part of docs/ssh-login.md from captures/ssh/"
	@echo "make fuzz      each parser 30 s under a fuzzer, where atheris has a wheel (FUZZ_SECONDS=600: longer)"
	@echo "make docs      the documentation as a site, site/index.html; makes docs/causes.md and its like anew"
	@echo "make pages     generate help pages, man page and completions from the commands"
	@echo "make dist      wheel and source distribution in dist/"
	@echo "make coverage  the tests without the lab, with branch coverage"
	@echo "make clean     remove .venv and all caches"

.venv/.ready: pyproject.toml .ci/setup
	@.ci/setup venv

setup: .venv/.ready

packages:
	@.ci/setup packages $(LAB_NEEDS)

check: setup
	$(PY) -m ruff check .
	$(PY) -m mypy

fix: setup
	$(PY) -m ruff check --fix .

test: check packages
	@.ci/setup packages $(TEST_NEEDS)
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target tests-of-the-lab tests-of-the-rest

# The first waits more than it works: both at once take little longer than one.
tests-of-the-lab:
	$(PY) -m pytest -m lab

tests-of-the-rest:
	$(PY) -m pytest -m "not lab"

browser: setup
	@.ci/setup packages chromium:chromium
	@.ci/setup optional playwright
	$(PY) -m pytest tests/test_html.py tests/test_site.py

lab: setup packages
	$(PY) -m tests.lab run

demo: setup packages
	@$(PY) -m tests.lab demo

bench: setup packages
	@.ci/setup packages $(BENCH_NEEDS)
	$(PY) -m tests.lab bench; lab=$$?; $(PY) -m tests.capture_bench && exit $$lab

bench-sweep: setup packages
	@.ci/setup packages $(SWEEP_NEEDS)
	$(PY) -m tests.lab.sweep_bench

bench-jobs: setup
	$(PY) -m tests.jobs_bench

captures: setup packages
	$(PY) -m tests.lab record

ssh-matrix: setup packages
	@.ci/setup packages $(MATRIX_NEEDS)
	@.ci/setup optional asyncssh
	@.ci/setup optional paramiko
	$(PY) -m tests.ssh_matrix record $(SSH_ROOT:%=--root %)

ssh-score: setup
	$(PY) -m tests.ssh_matrix score

fuzz: setup
	@.ci/setup optional atheris
	$(PY) -m tests.fuzz --seconds $(FUZZ_SECONDS)

docs: setup pages
	$(PY) -m netprobe.examples captures > netprobe/examples.jsonl.new
	mv netprobe/examples.jsonl.new netprobe/examples.jsonl
	$(PY) -m netprobe.explain > docs/causes.md.new
	mv docs/causes.md.new docs/causes.md
	$(PY) -m netprobe.surface.site
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict
	@echo "site/index.html: open it in a browser; no server is needed"

pages: setup
	$(PY) -m netprobe.surface

dist: setup pages
	$(PY) -m build --outdir dist .

coverage: setup
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -m "not lab"
	$(PY) -m coverage combine
	$(PY) -m coverage report

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* dist build site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
