# make lesson03 builds one lesson, make help tells the rest. Nothing is to be
# edited here when a file is added: the sources' names are the list.

CFLAGS ?= -O2
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Icommon $(WARNINGS) $(CFLAGS)
# Expanded when they are used, after scripts/deps has installed what is missing.
LIBS = $(shell pkg-config --libs jansson libcap)
TEST_LIBS = $(shell pkg-config --libs check) $(LIBS)

# A static program starts in two thirds of the time. Not every machine has the
# libraries for it, and no sanitizer does.
STATIC = $(shell cat build/static)

SOURCES = $(sort $(wildcard lessons/lesson*.c))
LESSONS = $(foreach s,$(SOURCES),$(firstword $(subst -, ,$(notdir $(s)))))
COMMON = $(patsubst common/%.c,build/common/%.o,$(filter-out common/step.c, \
	$(wildcard common/*.c)))
TESTS = $(patsubst tests/%.c,build/tests/%.o,$(wildcard tests/*.c))

.PHONY: all
all: $(LESSONS) bundle

# The library is one archive: a lesson takes from it what it uses.
build/libcommon.a: $(COMMON)
	@rm -f $@
	@$(AR) rcs $@ $^

build/static: build/deps
	@echo 'int main(void) { return 0; }' | $(CC) $(ALL_CFLAGS) $(LDFLAGS) \
		-static -x c -o build/try - $(LIBS) 2>build/try.log && \
		echo -static >$@ || : >$@
	@rm -f build/try build/try.log

build/%.o: %.c | build/deps
	@mkdir -p $(@D)
	@echo '  cc  $<'
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A program of its own, which sealed.c holds: it starts without a C library.
build/common/step: common/step.c | build/deps
	@mkdir -p $(@D)
	@$(CC) $(WARNINGS) -O2 -static -nostdlib -s -fno-stack-protector \
		-Wl,--build-id=none -Wl,-z,noseparate-code -o $@ $<

build/common/sealed.o: build/common/step

build/tests/check: $(TESTS) build/libcommon.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

# What make has made on the way is kept.
.SECONDARY:
BENCH = $(addprefix build/tests/bench/,bench fill floor load opens terminal \
	threads tiny)

# Loads for the tests and the measurements. These without flags of ours: a
# sanitizer has no place in a program without a C library, and it would add
# threads of its own.
build/tests/bench/tiny: tests/bench/tiny.c | build/deps
	@mkdir -p $(@D)
	@$(CC) -O2 -static -nostdlib -o $@ $<

build/tests/bench/threads: tests/bench/threads.c | build/deps
	@mkdir -p $(@D)
	@$(CC) -O2 -pthread -o $@ $<

# The floor is linked as the lessons are.
build/tests/bench/floor: build/tests/bench/floor.o build/libcommon.a | build/static
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(STATIC) -o $@ $^ $(LIBS)

build/tests/bench/bench: $(addprefix build/tests/bench/,measure.o containers.o)
build/tests/bench/%: build/tests/bench/%.o build/libcommon.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) build/libcommon.a \
		$(LIBS)

# lesson03 is made from lessons/lesson03-setns-exec.c; it runs on the bundle.
define LESSON
$(1): build/$(2:.c=.o) build/libcommon.a | build/static bundle
	@echo '  ld  $$@'
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) $$(STATIC) -o $$@ $$^ $$(LIBS)
endef
$(foreach s,$(SOURCES),$(eval \
	$(call LESSON,$(firstword $(subst -, ,$(notdir $(s)))),$(s))))

# Installs what is missing, or says what to type. Done once.
build/deps: scripts/deps
	@scripts/deps --quiet
	@mkdir -p build && touch $@

# What the tests have done by a process in a container, which has no libraries.
ATTACKS = $(addprefix build/tests/attacks/,attack interpreter)

build/tests/attacks/attack: tests/attacks/attack.c | build/deps
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<

build/tests/attacks/interpreter: tests/attacks/interpreter.c | build/deps
	@mkdir -p $(@D)
	@$(CC) -D_GNU_SOURCE $(WARNINGS) -O2 -static -nostartfiles -o $@ $<

.PHONY: bundle
bundle: build/deps
	@scripts/build-bundle --quiet

.PHONY: lessons
lessons:
	@for s in $(SOURCES); do sed -n '1s,^/\* *,,p' "$$s"; done

.PHONY: tour
tour: all
	@scripts/tour

.PHONY: check
check: all build/tests/check $(BENCH) $(ATTACKS)
	@scripts/check

.PHONY: coverage
coverage:
	@scripts/coverage

.PHONY: bench
bench: all $(BENCH)
	@build/tests/bench/bench

.PHONY: tutorial
tutorial:
	@scripts/tutorial

.PHONY: lint
lint: build/deps build/common/step
	@scripts/lint

.PHONY: doctor
doctor:
	@scripts/doctor

.PHONY: clean
clean:
	rm -rf build bundle/rootfs $(LESSONS)

# What a kill -9 has left: the list finds it, removes it and says so.
.PHONY: clean-host
clean-host: lesson08
	@./lesson08 list

.PHONY: help
help:
	@echo 'make lesson03   build one lesson; then: sudo ./lesson03'
	@echo 'make            build all lessons and the bundle'
	@echo 'make lessons    print the syllabus'
	@echo 'make tour       run all lessons in order'
	@echo 'make check      run the tests'
	@echo 'make coverage   print where each fact is shown, told and tested'
	@echo 'make bench      measure the lessons beside the tools'
	@echo 'make doctor     find out what this machine can do'
	@echo 'make tutorial   refresh the code in TUTORIAL.md'
	@echo 'make lint       run the static checkers'
	@echo 'make clean      remove what make has made'
	@echo 'make clean-host remove what a killed lesson has left on this machine'

-include $(COMMON:.o=.d) $(wildcard build/lessons/*.d build/tests/*.d build/tests/bench/*.d)
