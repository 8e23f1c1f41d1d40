# ringwire: `make help` says what there is to do. Every target sets up what it needs, once.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

KNOWN := SIM T WAVES SEED QUEUES WIDTH MINUTES PACKETS COUNT PYTHON
export $(KNOWN)
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command,$(origin $v)),$v))
$(foreach v,$(filter-out $(KNOWN) MAKEFLAGS MAKEOVERRIDES,$(GIVEN)),$(error $v=: no such setting; there are $(KNOWN) (see `make help`)))

BIN   := .venv/bin
READY := .venv/.ready

.PHONY: help setup sim test lint bench compiled results soak mutate coverage formal area clean lock

help:
	@echo 'make sim            replay the bundled capture through stack, driver and RTL, then run the testbenches'
	@echo '    SIM=verilator|icarus   simulator (verilator)'
	@echo '    T=<expression>         only testbenches whose name matches, as in pytest -k: T="ring and not wrap"'
	@echo '    WAVES=1                record waves under build/sim/'
	@echo '    SEED=n                 seed of everything random (1)'
	@echo '    QUEUES=1|2|4|8|16      transmit queues (1)'
	@echo '    WIDTH=64|128|256|512   data path, bits (512)'
	@echo 'make test           every test: model, recorded vectors, testbenches on both simulators, lint'
	@echo 'make lint           verilator -Wall, pyslang, yosys check, ruff, mypy, generated files'
	@echo 'make bench          measure, with the model in C; table and build/bench.json'
	@echo 'make compiled       the model in C, and the device on Verilator built for its traffic: faster experiments'
	@echo 'make results        run the scenarios of published numbers on the RTL, and write docs/results.md'
	@echo 'make soak           random testbenches for MINUTES=n (10)'
	@echo '    PACKETS=n              instead: n healthy packets on the twin, n/50 on the RTL, n/10000 resets (10000000)'
	@echo 'make mutate         break netlists of the offload engine in COUNT=n places (200), drawn with SEED; who tells?'
	@echo 'make coverage       which lines and branches of the RTL the testbenches reach'
	@echo 'make formal         prove the small blocks of the RTL by induction, and refute bugs planted in them'
	@echo 'make area           LUTs, levels and Fmax by module, an hour; tables into README and docs/area.md; T= picks modules'
	@echo 'make setup          Debian packages and .venv; the targets above do it by themselves'
	@echo 'make clean          remove build/ (not .venv)'
	@echo 'make lock           renew requirements.lock from pyproject.toml'
	@echo 'PYTHON=path         a python >= 3.11 to make .venv with (python3)'

$(READY): requirements.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $@

setup: $(READY)

sim: $(READY)
	@$(BIN)/python -m scripts.sim

test: $(READY)
	@$(BIN)/pytest -n 2 --dist worksteal --durations 10 --junitxml build/test/junit.xml

lint: $(READY)
	@$(BIN)/pytest -n 2 -v tests/test_lint.py tests/test_generated.py --junitxml build/lint/junit.xml

bench: compiled
	@$(BIN)/python -m bench

compiled: $(READY)
	@$(BIN)/ringwire compile
	@$(BIN)/ringwire tune

results: $(READY)
	@$(BIN)/ringwire results --folder build/results --write docs/results.md

soak: $(READY)
	@$(BIN)/python -m scripts.soak

mutate: $(READY)
	@$(BIN)/python -m scripts.mutate

coverage: $(READY)
	@$(BIN)/python -m scripts.coverage

formal: $(READY)
	@$(BIN)/python -m scripts.formal

area: $(READY)
	@$(BIN)/python -m scripts.area

lock:
	@scripts/lock.sh

clean:
	rm -rf build
