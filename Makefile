VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
NEWEST_PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 $(PYTHON); do \
	$$python -c '' >/dev/null 2>&1 && echo $$python && break; done)
BIN = $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n auto

POSTGRESQL_URL ?= postgresql://introspection:introspection@127.0.0.1:5432/introspection
MARIADB_URL ?= mysql://introspection:introspection@127.0.0.1:3306/introspection
REDIS_URL ?= redis://127.0.0.1:6379/15
# Compiled modules are kept, whatever the environment says: each worker and each child would compile them anew.
export PYTHONDONTWRITEBYTECODE =
export PYTHONPYCACHEPREFIX = $(abspath $(VENV))/pycache
# What no database and no cache has a part in is not run again with servers.
WITH_SERVERS = $(PYTEST) $(addprefix --ignore=tests/,protocol properties servers soak outbound service_tokens error_tracking \
	scenarios/test_jwts.py scenarios/test_tables.py test_documentation.py test_example_project.py test_import_rule.py \
	test_keys.py test_laziness.py test_public_api.py test_repository.py)
APPENDED = --cov --cov-append --cov-report=
SWAPPED = $(addprefix tests/contrib/oauth_toolkit/test_,flows.py policy.py revocation.py)

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' $(firstword $(MAKEFILE_LIST)))

# Times are those of two cores.

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# For everyone: Python 3.11 or later is all that the first two need.

demo: $(VENV)/.installed ## play the main job with two real processes, until Ctrl-C; ONCE=1 ends it (half a minute)
	$(BIN)/python -m example_project.demo $(if $(ONCE),--once)

test: $(VENV)/.installed-test ## run the test suite on SQLite (three minutes)
	$(PYTEST) -m "not processes" --ignore=tests/servers $(ARGS)

# The example in a browser: it takes django-oauth-toolkit as well.

demo-browser: $(VENV)/.installed-extra-oauth-toolkit ## play the story of a person with django-oauth-toolkit, in your browser
	$(BIN)/python -m example_project.browser_demo

# For a change: fast checks first; test-all has the tests that start processes too, as coverage and the matrix have.

test-all: $(VENV)/.installed-test ## run the tests that start processes too (five minutes)
	$(PYTEST) $(ARGS)

lint: $(VENV)/.installed-lint ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-types ## check types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/api.py

messages: $(VENV)/.installed-test ## collect the texts of pages for translation, and compile the translations
	$(BIN)/python -m tests.translations.catalogues

docs: $(VENV)/.installed-docs ## build the documentation in docs/_build/html
	$(BIN)/sphinx-build -W -n -q -b html docs docs/_build/html

# With servers, other implementations and a browser: what they need is said in docs/development.rst.

coverage: ## run everything with coverage; needs Node.js (ten minutes)
	$(MAKE) --no-print-directory test ARGS="--cov --cov-report= --conformance-page=docs/conformance.rst"
	$(MAKE) --no-print-directory coverage-of-the-rest

# What `make test` leaves out: processes, other implementations, more examples of each property, other packages.
coverage-of-the-rest: $(VENV)/.installed-test $(VENV)/.installed-peers tests/peers/node/node_modules
	$(PYTEST) -m processes --ignore=tests/servers $(APPENDED)
	PEERS=1 PROPERTIES=thorough $(PYTEST) tests/peers tests/properties $(APPENDED)
	$(MAKE) --no-print-directory bridges ARGS="$(APPENDED)"
	$(BIN)/coverage report --fail-under=97
	$(BIN)/coverage report --fail-under=100 --include='*/protocol/*,*/authorization_server/policy.py,*/resource_server/acceptance.py'

postgresql: $(VENV)/.installed-test $(VENV)/.installed-services ## run the suite on PostgreSQL and Redis (four minutes)
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(WITH_SERVERS) $(ARGS)

mariadb: $(VENV)/.installed-test $(VENV)/.installed-services ## run what has to do with a database on MariaDB and Redis (three minutes)
	DATABASE_URL=$(MARIADB_URL) CACHE_URL=$(REDIS_URL) $(WITH_SERVERS) -m "database or processes" $(ARGS)

peers: $(VENV)/.installed-test $(VENV)/.installed-peers tests/peers/node/node_modules ## run other OAuth implementations on both ends; needs Node.js
	PEERS=1 $(BIN)/python -m pytest tests/peers $(ARGS)

browser: docs $(VENV)/.installed-test $(VENV)/.installed-browser tests/browser/node/node_modules ## look at every page in headless Chromium (five minutes)
	BROWSER=1 $(BIN)/python -m pytest -n auto --ds=tests.browser.settings tests/browser $(ARGS)

screenshots: $(VENV)/.installed-test $(VENV)/.installed-browser ## take the pictures of the admin in docs/images anew (one minute)
	BROWSER=1 PICTURES=docs/images $(BIN)/python -m pytest --ds=tests.browser.settings tests/browser/test_screenshots.py

bridges: $(VENV)/.installed-test $(VENV)/.installed-bridges ## run the tests of django-oauth-toolkit, allauth, authtoken, knox and API keys
	$(BIN)/python -m pytest -n auto --ds=tests.contrib.oauth_toolkit.settings tests/contrib/oauth_toolkit $(ARGS)
	$(BIN)/python -m pytest -n auto --ds=tests.contrib.oauth_toolkit.swapped_settings $(SWAPPED) $(ARGS)
	$(BIN)/python -m pytest -n auto --ds=tests.contrib.allauth.settings tests/contrib/allauth $(ARGS)
	$(BIN)/python -m pytest -n auto --ds=tests.contrib.project_tokens.settings tests/contrib/project_tokens $(ARGS)

bridges-postgresql: $(VENV)/.installed-services ## run them on PostgreSQL and Redis
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(MAKE) --no-print-directory bridges

peer-suites: $(VENV)/.installed-test $(VENV)/.installed-peers ## run the tests of django-oauth-toolkit and allauth with our classes (one minute)
	$(BIN)/python -m tests.peer_suites $(ARGS)

wycheproof: $(VENV)/.installed-test ## verify the vectors of Wycheproof; VECTORS=… is the directory testvectors_v1 of a checkout
	$(BIN)/python -m tests.peer_suites.wycheproof $(VECTORS)

mutation: $(VENV)/.installed-test ## change security-relevant modules, and name the changes that no test notices (an hour)
	nice -n 19 $(BIN)/python -m tests.mutation $(if $(MUTANTS),--mutants $(MUTANTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

integrations: .venv-integrations/.installed ## run the examples for other frameworks, and the admin in other looks
	INTEGRATIONS=1 .venv-integrations/bin/python -m pytest tests/integrations $(ARGS)

servers: $(VENV)/.installed-test ## play the tokens of 23 authorization servers (one minute)
	$(BIN)/python -m pytest -q -p no:randomly tests/servers --servers-page=docs/servers/matrix.rst $(ARGS)

fuzz: $(VENV)/.installed-test $(VENV)/.installed-fuzzing ## fuzz each parser; FAMILY=forms SECONDS=60 choose, RUNS=3000 is short and the same each time
	$(BIN)/python -m tests.fuzzing $(if $(FAMILY),--family $(FAMILY)) $(if $(RUNS),--runs $(RUNS),--seconds $(or $(SECONDS),60))
	$(if $(FAMILY),,DJANGO_SETTINGS_MODULE=tests.fuzzing.openapi_settings $(BIN)/python -m tests.fuzzing.openapi $(or $(EXAMPLES),100))

scale: $(VENV)/.installed-test $(VENV)/.installed-services ## count the statements of the admin with five million tokens (two minutes)
	SCALE=1 DATABASE_URL=$(POSTGRESQL_URL) $(BIN)/python -m pytest -p no:randomly tests/scale $(ARGS)

web-servers: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-web-servers ## run on gunicorn, gevent, uvicorn, granian and uWSGI (a minute)
	WEB_SERVERS=1 $(BIN)/python -m pytest tests/web_servers $(ARGS)

machines: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-web-servers ## run with replicas, failovers, nginx and pools
	MACHINES=1 REVOCATIONS=200 CUT_SECONDS=8 DATABASE_URL=$(POSTGRESQL_URL) $(BIN)/python -m pytest -n 2 --dist=loadfile -p no:randomly tests/machines $(ARGS)

feed: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-web-servers ## measure how soon 1,000 revocations arrive by the feed, and cut it for 30 seconds (three minutes)
	MACHINES=1 $(BIN)/python -m pytest -p no:randomly tests/machines/test_revocation_feed.py $(ARGS)

soak: $(VENV)/.installed-soak ## compare every answer of MINUTES=30 with an oracle; FAULTS=1 adds faults, SOAK_SEED repeats
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30) $(if $(FAULTS),--faults) $(if $(SOAK_SEED),--seed $(SOAK_SEED)) $(ARGS)

matrix: $(VENV)/.installed-matrix ## run every supported Python and Django that is here (an hour)
	$(BIN)/tox run $(ARGS)

benchmark: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-benchmarks ## compare our speed with that of others
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(BIN)/python -m benchmarks $(ARGS)

benchmark-servers: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-benchmarks $(VENV)/.installed-web-servers tests/peers/node/node_modules ## compare our server with oidc-provider; needs Node.js
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(BIN)/python -m benchmarks.servers $(ARGS)

profile: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-benchmarks ## show where the CPU time of a request goes
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(BIN)/python -m benchmarks.profiles $(ARGS)

timing: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-benchmarks ## test whether times tell which clients and tokens exist (a minute)
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(BIN)/python -m benchmarks.timing $(ARGS)

locks: $(VENV)/.installed-test $(VENV)/.installed-services $(VENV)/.installed-benchmarks ## show whether threads wait for our locks (two minutes)
	DATABASE_URL=$(POSTGRESQL_URL) CACHE_URL=$(REDIS_URL) $(BIN)/python -m benchmarks.locks

growth: $(VENV)/.installed-test $(VENV)/.installed-services ## compare ten million tokens with ten thousand (ten minutes)
	DATABASE_URL=$(POSTGRESQL_URL) $(BIN)/python -m benchmarks.growth

package: $(VENV)/.installed-package ## build and check the wheel; DIST=directory keeps it (one minute)
	$(BIN)/python tests/check_package.py $(DIST)

audit: $(addprefix $(VENV)/.installed-,extra-jwt extra-oauth-toolkit extra-allauth extra-spectacular audit) ## look for known vulnerabilities; asks the index of packages
	$(BIN)/pip-audit --skip-editable

release: $(VENV)/.installed-package ## prepare a release: VERSION=0.1.0
	$(BIN)/python tests/release.py $(VERSION)

clean: ## remove what was made
	rm -rf $(VENV) .venv-integrations .tox build dist docs/_build tests/*/node/node_modules var

tests/%/node/node_modules: tests/%/node/package.json
	cd tests/$*/node && npm install --silent --no-audit --no-fund
	@touch $@

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it with PYTHON=…" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# An environment of its own: these packages choose their dependencies themselves, and the newest Python has the newest.
.venv-integrations/.installed: pyproject.toml
	test -x .venv-integrations/bin/python || $(NEWEST_PYTHON) -m venv .venv-integrations
	.venv-integrations/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	.venv-integrations/bin/python -m pip install --quiet --editable . --group integrations
	@touch $@

$(VENV)/.installed-extra-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@
