# make                library, command and examples in $(B)
# make demo           explain a passage with the two shipped models
# make check          all tests; variants: asan | tsan | double | cov
# make damage         the table of damaged inputs: status and message of each
# make valgrind       one run of each command under memcheck
# make fuzz           libFuzzer on what reads files: FUZZ_SECONDS=60 for each target
# make lint           headers, exports, layers, file sizes, format
# make bench          timings beside the peers (see tests/bench/)
# make references     golden values anew, compared with the committed ones
# make interop        result files against h5py, netCDF4 and xarray
# make installed      an installed copy: compile against it, run the examples
# make ci-full        everything that needs more than .ci/run's 25 minutes
# make install        PREFIX, DESTDIR; make uninstall with the same
#
# demo and check first install the Debian packages that are missing, when they
# may, and otherwise name the command that does; so does `make setup`.

VERSION := $(shell sed -n 's/^.define HEED_VERSION "\(.*\)"/\1/p' include/heed/version.h)
PREFIX  ?= /usr/local
B       ?= build

# CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the user's; EXTRA is a variant's.
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
           -Wdouble-promotion -Wundef -Wvla $(if $(WERROR),-Werror)
COMPILE  = $(CC) -std=c11 -D_GNU_SOURCE -fopenmp $(WARN) -fvisibility=hidden -fPIC \
           $(INC) $(CPPFLAGS) $(CFLAGS) $(EXTRA) $(ISAFLAGS) -MMD -MP -c
LINK     = $(CC) -fopenmp $(CFLAGS) $(EXTRA) $(LDFLAGS)

# ---- libraries: without an optional one, its files are left out --------------
PKG   ?= pkg-config
found  = $(firstword $(foreach p,$(1),$(shell $(PKG) --exists $(p) 2>/dev/null && echo $(p))))
NEEDED := jansson libpcre2-8 libutf8proc
BLAS  ?= $(call found,openblas)
HDF5  ?= $(call found,hdf5-serial hdf5)
CAIRO ?= $(and $(call found,pangocairo),$(call found,libpng),pangocairo libpng)
PNG   ?= $(call found,libpng)
JPEG  ?= $(call found,libjpeg)
HL    := $(if $(HDF5),-lhdf5_hl)# H5DS; no .pc file names it
DEPS  := $(NEEDED) $(BLAS) $(HDF5) $(CAIRO) $(filter-out $(CAIRO),$(PNG)) $(JPEG)
OFF   := $(if $(HDF5),,$(wildcard viz/hdf5*.c viz/format/hdf5*.c)) \
         $(if $(CAIRO),,$(wildcard viz/figure/*.c viz/canvas*.c)) \
         $(if $(PNG),,src/image/format/png.c) $(if $(JPEG),,src/image/format/jpeg.c)
cflags = $(if $(1),$(shell $(PKG) --cflags $(1) 2>/dev/null))
NEEDED_CFLAGS := $(call cflags,$(NEEDED))
BLAS_CFLAGS   := $(call cflags,$(BLAS))
HDF5_CFLAGS   := $(call cflags,$(HDF5))
CAIRO_CFLAGS  := $(call cflags,$(CAIRO))
IMAGE_CFLAGS  := $(call cflags,$(PNG) $(JPEG))
HAVE  := $(if $(HDF5),-DHEEDI_HAVE_HDF5=1) $(if $(CAIRO),-DHEEDI_HAVE_CAIRO=1) \
         $(and $(PNG),$(JPEG),-DHEEDI_HAVE_IMAGES=1)
LIBS  := $(HL) $(shell $(PKG) --libs $(DEPS) 2>/dev/null) -lm
CMOCKA_CFLAGS ?= $(call cflags,cmocka)
CMOCKA_LIBS   ?= $(shell $(PKG) --libs cmocka 2>/dev/null)

# ---- files: adding one to a folder is the whole of registering it ------------
names    = $(sort $(basename $(notdir $(filter-out $(1),$(wildcard $(2))))))
OPS     := $(call names,,src/op/*.c)
FAMILIES:= $(call names,,src/model/*.c)
RULES   := $(call names,,src/rule/*.c)
METHODS := $(call names,attribution/method%.c,attribution/*.c)
IMAGES  := $(call names,$(OFF),src/image/format/*.c)
FORMATS := $(call names,$(OFF),viz/format/*.c)
FIGURES := $(call names,$(OFF),viz/figure/*.c)
COMMANDS:= $(call names,src/cli/main.c src/cli/cli_%.c,src/cli/*.c)

obj      = $(patsubst %.c,$(B)/%.o,$(filter-out $(OFF),$(wildcard $(1))))
BASE    := $(call obj,src/base/*.c)
TEXT    := $(call obj,src/text/*.c)
IMAGE   := $(call obj,src/image/*.c src/image/format/*.c)
# Kernels once for each instruction set; the best one is picked at start.
ISAS    := base $(if $(filter x86_64,$(shell uname -m)),avx2 avx512)
# Fused multiply-add everywhere but in decoding, whose bits are the same on all.
# No NaN check is lost by the first two: they only say that nobody traps or reads errno.
ISAFLAGS_base   := -fno-trapping-math -fno-math-errno -Wno-pass-failed -Wno-psabi
ISAFLAGS_avx2   := $(ISAFLAGS_base) -mavx2 -mfma -mf16c
ISAFLAGS_avx512 := $(ISAFLAGS_avx2) -mavx512f -mavx512dq -mavx512vl -mavx512bw -mprefer-vector-width=512
KERNELS := $(foreach k,$(wildcard src/kernel/*.c),$(foreach i,$(ISAS),$(B)/$(k:.c=)-$(i).o))
ENGINE  := $(call obj,src/*.c src/op/*.c src/rule/*.c src/load/*.c src/model/*.c) $(KERNELS) $(TEXT) $(IMAGE)
VIZ     := $(call obj,viz/*.c viz/format/*.c viz/figure/*.c)
OBJ     := $(BASE) $(ENGINE) $(call obj,attribution/*.c) $(VIZ)
CLI     := $(call obj,src/cli/*.c)
TESTS   := $(patsubst %.c,$(B)/%,$(wildcard tests/test_*.c))
FUZZERS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
EXAMPLES:= $(patsubst %.c,$(B)/%,$(wildcard examples/*.c))

all: needed $(B)/libheed.a $(B)/libheed.so $(B)/heed $(EXAMPLES)
needed:
	@$(PKG) --exists $(NEEDED) 2>/dev/null || { \
	  echo 'heed: not all found: $(NEEDED); run: make setup' >&2; exit 1; }

# ---- include direction: a folder sees only what its -I list allows -----------
$(B)/src/base/%.o:    INC := -Iinclude -Isrc/base
$(B)/src/text/%.o:    INC := -Iinclude -Isrc/base $(NEEDED_CFLAGS)
$(B)/src/image/%.o:   INC := -Iinclude -Isrc/base -Isrc/image -I$(B)/gen $(NEEDED_CFLAGS) $(IMAGE_CFLAGS)
$(B)/src/%.o:         INC := -Iinclude -Isrc/base -Isrc -I$(B)/gen $(BLAS_CFLAGS)
$(B)/src/load/%.o:    INC := -Iinclude -Isrc/base -Isrc -Isrc/text $(NEEDED_CFLAGS)
$(B)/src/cli/%.o:     INC := -Iinclude -Isrc/cli -I$(B)/gen $(NEEDED_CFLAGS)
$(B)/attribution/%.o: INC := -Iinclude -Isrc/base -Isrc -I$(B)/gen
$(B)/viz/%.o:         INC := -Iinclude -Isrc/base -Iviz -I$(B)/gen $(HAVE) $(NEEDED_CFLAGS) $(HDF5_CFLAGS) $(CAIRO_CFLAGS)
$(B)/examples/%.o:    INC := -Iinclude
$(B)/tests/%.o:       INC := -Iinclude -Isrc/base -Isrc -Isrc/load -Isrc/text -Isrc/image -Iattribution -Iviz -Itests -I$(B)/gen $(HAVE) $(NEEDED_CFLAGS) $(BLAS_CFLAGS) $(HDF5_CFLAGS) $(CMOCKA_CFLAGS)

$(B)/tests/fuzz/%.o:  INC := -Iinclude -Isrc/base -Isrc -Isrc/load -Isrc/text -Isrc/cli -Itests -Itests/fuzz -I$(B)/gen $(NEEDED_CFLAGS)

# ---- registries: rewritten only when the list of files changes ---------------
GEN := $(patsubst %,$(B)/gen/%.inc,ops rules families methods images formats figures commands)
$(B)/gen/ops.inc:      ROWS = $(OPS)
$(B)/gen/rules.inc:    ROWS = $(RULES)
$(B)/gen/families.inc: ROWS = $(FAMILIES)
$(B)/gen/methods.inc:  ROWS = $(METHODS)
$(B)/gen/images.inc:   ROWS = $(IMAGES)
$(B)/gen/formats.inc:  ROWS = $(FORMATS)
$(B)/gen/figures.inc:  ROWS = $(FIGURES)
$(B)/gen/commands.inc: ROWS = $(COMMANDS)
$(GEN): FORCE
	@mkdir -p $(@D)
	@for r in $(ROWS); do echo "ROW($$r)"; done > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:

# ---- rules: V=1 shows the commands -------------------------------------------
say = $(if $(V),,@echo '$(1) $@';)
$(B)/%.o: %.c Makefile | $(GEN)
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) $< -o $@
define kernel_rule
$$(B)/src/kernel/%-$(1).o: ISAFLAGS = $$(ISAFLAGS_$(1)) -DHEEDI_ISA=$(1) \
    -ffp-contract=$$(if $$(filter decode,$$*),off,fast)
$$(B)/src/kernel/%-$(1).o: src/kernel/%.c Makefile | $$(GEN)
	@mkdir -p $$(@D)
	$$(call say,CC)$$(COMPILE) $$< -o $$@
endef
$(foreach i,$(ISAS),$(eval $(call kernel_rule,$(i))))
$(B)/libheed.a: $(OBJ)
	@rm -f $@ # else members whose source is gone would stay
	$(call say,AR)$(AR) qcs $@ $^
$(B)/libheed.so: $(OBJ)
	$(call say,LD)$(LINK) -shared -Wl,-soname,libheed.so.0 $^ $(LIBS) $(LDLIBS) -o $@
$(B)/heed: $(CLI) $(B)/libheed.a
	$(call say,LD)$(LINK) $^ $(LIBS) $(LDLIBS) -o $@
$(EXAMPLES) $(BENCHES): $(B)/%: $(B)/%.o $(B)/libheed.a
	$(call say,LD)$(LINK) $^ $(LIBS) $(LDLIBS) -o $@
$(TESTS): $(B)/%: $(B)/%.o $(B)/libheed.a
	$(call say,LD)$(LINK) $^ $(LIBS) $(LDLIBS) $(CMOCKA_LIBS) -o $@
# A fuzz target runs files, or is given inputs by libFuzzer (see `make fuzz`).
FUZZER ?= $(B)/tests/fuzz/replay.o
$(B)/tests/fuzz/libcli.a: $(filter-out %/main.o,$(CLI))
	$(call say,AR)$(AR) qcs $@ $^
$(FUZZERS): $(B)/%: $(B)/%.o $(filter %.o,$(FUZZER)) $(B)/tests/fuzz/libcli.a $(B)/libheed.a
	$(call say,LD)$(LINK) $(FUZZER) $(filter-out $(FUZZER),$^) $(LIBS) $(LDLIBS) -o $@

-include $(patsubst %.o,%.d,$(OBJ) $(CLI)) $(TESTS:=.d) $(FUZZERS:=.d) $(B)/tests/fuzz/replay.d $(EXAMPLES:=.d) $(BENCHES:=.d)

# ---- the two commands of the README: a second make, since pkg-config is read
# ---- when a makefile is parsed
setup: ; @sh tests/setup.sh
demo: setup ; @$(MAKE) --no-print-directory demo-run
check: setup ; @$(MAKE) --no-print-directory check-run
demo-run: $(B)/heed
	@sh examples/demo.sh $(B)
check-run: $(TESTS) $(FUZZERS) $(EXAMPLES) $(B)/heed
	@sh tests/run.sh $(B)

# One build folder for each set of flags, so variants never share objects.
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
asan:   ; $(MAKE) check B=$(B)-asan   EXTRA='$(SAN)'
# libomp loads Archer, which tells ThreadSanitizer what OpenMP synchronises.
tsan:
	TSAN_OPTIONS='ignore_noninstrumented_modules=1' \
	  $(MAKE) check B=$(B)-tsan CC=clang EXTRA='-fsanitize=thread'
# New inputs stay in the build folder; one that fails is named, and kept there.
FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory fuzz-run B=$(B)-fuzz CC=clang FUZZER=-fsanitize=fuzzer \
	  EXTRA='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
fuzz-run: $(FUZZERS)
	@sh tests/fuzz/run.sh $(B) $(FUZZ_SECONDS)
double: ; $(MAKE) check B=$(B)-double EXTRA='-DHEED_REAL=double'
cov:
	$(MAKE) check B=$(B)-cov EXTRA='--coverage -O0'
	@gcov -n $(B)-cov/src/op/*.gcda $(B)-cov/attribution/*.gcda | awk -F"['%:]" \
	  '/^File/ { f = $$2 } /^Lines/ { if (f !~ /^\// && $$2 < 90) { print f ": " $$2 "% of lines tested"; bad = 1 } } END { exit bad }'

# Each public header compiles alone, twice, as C99, C11 and C++.
headers:
	@set -e; for h in $(patsubst include/%,%,$(wildcard include/heed/*.h)); do \
	  for c in '-std=c99 -xc' '-std=c11 -xc' '-xc++'; do \
	    $(CC) $$c -Wall -Wextra -Wpedantic -Werror -Iinclude -DHEADER="<$$h>" -fsyntax-only tests/header.c; done; done
# The shared library exports heed_*; all other global names are heedi_*.
symbols: $(B)/libheed.so $(B)/libheed.a
	@nm -D --defined-only $< | awk '$$3 !~ /^heed_/ { print "stray export: " $$3; bad = 1 } END { exit bad }'
	@nm -g --defined-only $(B)/libheed.a | awk 'NF == 3 && $$3 !~ /^heedi?_/ { print "stray name: " $$3; bad = 1 } END { exit bad }'
# The engine links without attribution/ and viz/, viz/ without the engine; no
# include climbs out of its folder; nothing new at the top level.
layers: $(B)/tests/test_ops.o $(B)/tests/test_formats.o $(BASE) $(ENGINE) $(VIZ)
	$(call say,LD)$(LINK) $(B)/tests/test_ops.o $(BASE) $(ENGINE) $(LIBS) $(LDLIBS) $(CMOCKA_LIBS) -o $(B)/layers
	$(call say,LD)$(LINK) $(B)/tests/test_formats.o $(BASE) $(VIZ) $(LIBS) $(LDLIBS) $(CMOCKA_LIBS) -o $(B)/layers
	@! grep -rn '#include "\.\./' include src attribution viz examples tests
	@! ls | grep -vxE 'Makefile|README.md|LICENSE|CHANGELOG.md|include|src|attribution|viz|tests|examples|docs|build(-.*)?'
SOURCES = $(shell find include src attribution viz tests examples -name '*.[ch]')
sizes:
	@wc -l $(SOURCES) | awk '$$1 > 600 && $$2 != "total" { print "too long: " $$0; bad = 1 } END { exit bad }'
# clang-format output differs between major versions, so only the pinned one
# judges; elsewhere the check is skipped, and says so.
format-check format:
	@for c in $(CLANG_FORMAT) clang-format-14 clang-format; do \
	  case "$$($$c --version 2>/dev/null)" in *"version 14."*) \
	    exec $$c $(if $(filter format,$@),-i,--dry-run -Werror) $(SOURCES) ;; esac; done; \
	echo "$@: skipped, no clang-format 14"
lint: headers symbols layers sizes format-check

# ---- what is damaged, and memory: the table of cases with status and message;
# ---- one run of each command under memcheck
damage: $(B)/heed ; @sh tests/damage.sh $(B)
valgrind: $(B)/heed ; @sh tests/valgrind.sh $(B)

# ---- with Python: HEED_PYTHON is that of the reference environment -----------
HEED_PYTHON ?= python3
interop: $(B)/heed
	sh tests/interop.sh $(B) $(HEED_PYTHON)
references: ; sh tests/golden/references.sh $(HEED_PYTHON)
bench: $(BENCHES) ; sh tests/bench/run.sh $(B) $(HEED_PYTHON)
installed: all ; sh tests/install.sh $(B)
ci-full:
	$(MAKE) check HDF5= CAIRO= PNG= JPEG= B=$(B)-min
	$(MAKE) installed
	$(MAKE) tsan double cov valgrind fuzz
	$(MAKE) interop
	$(MAKE) $(B)/heed $(B)/tests/test_corpus
	sh tests/corpus.sh $(B) 200 10 $(HEED_PYTHON)

# ---- install -----------------------------------------------------------------
$(B)/heed.pc: src/heed.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	  -e 's|@DEPS@|$(strip $(DEPS))|' -e 's|@LIBS@|$(strip $(HL) -fopenmp -lm)|' $< > $@
# What a shell needs to complete command lines, from the tables of options.
$(B)/complete/%: $(B)/heed
	@mkdir -p $(@D)
	@$(B)/heed help --completion $* > $@
to      := $(DESTDIR)$(PREFIX)
INSTALL ?= install
install: all $(B)/heed.pc $(B)/complete/bash $(B)/complete/zsh
	$(INSTALL) -d $(addprefix $(to)/,bin include/heed lib/pkgconfig share/man/man1 \
	  share/bash-completion/completions share/zsh/site-functions)
	$(INSTALL) -m 755 $(B)/heed $(to)/bin
	$(INSTALL) -m 644 include/heed/*.h $(to)/include/heed
	$(INSTALL) -m 644 $(B)/libheed.a $(to)/lib
	$(INSTALL) -m 755 $(B)/libheed.so $(to)/lib/libheed.so.$(VERSION)
	ln -sf libheed.so.$(VERSION) $(to)/lib/libheed.so.0
	ln -sf libheed.so.0 $(to)/lib/libheed.so
	$(INSTALL) -m 644 $(B)/heed.pc $(to)/lib/pkgconfig
	$(INSTALL) -m 644 docs/heed.1 $(to)/share/man/man1
	$(INSTALL) -m 644 $(B)/complete/bash $(to)/share/bash-completion/completions/heed
	$(INSTALL) -m 644 $(B)/complete/zsh $(to)/share/zsh/site-functions/_heed
uninstall:
	rm -f $(to)/bin/heed $(addprefix $(to)/lib/,libheed.a libheed.so libheed.so.0 \
	  libheed.so.$(VERSION) pkgconfig/heed.pc) $(to)/share/man/man1/heed.1 \
	  $(addprefix $(to)/include/heed/,$(notdir $(wildcard include/heed/*.h))) \
	  $(to)/share/bash-completion/completions/heed $(to)/share/zsh/site-functions/_heed
	-rmdir $(to)/include/heed

clean:
	rm -rf $(B) $(B)-*

.PHONY: all needed setup demo demo-run check check-run asan tsan fuzz fuzz-run double cov headers symbols layers sizes \
        format format-check lint interop references bench installed ci-full damage valgrind install uninstall clean FORCE
