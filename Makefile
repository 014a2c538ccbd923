# SPDX-License-Identifier: Apache-2.0
# RDMA Warden. `make help` lists the targets; everything built lies under build/.

VERSION := 0.1.0

BUILD := build$(if $(SANITIZE),-sanitize)$(if $(FAULTS),-faults)
CC := gcc
CLANG := clang-16
LLVM_STRIP := llvm-strip-16
CLANG_FORMAT := clang-format-16
BPFTOOL := bpftool
PROTOC_C := protoc-c
comma := ,
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@))

PKGS := libbpf libcjson libmnl libelf zlib libprotobuf-c libmicrohttpd
CFLAGS := -std=gnu17 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	  -Wundef -Wvla -Wwrite-strings -Wold-style-definition -Wpointer-arith -Werror
CFLAGS += $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer, \
	  -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
# Where it is built is in none of the programs, so that the same sources make the same bytes.
CFLAGS += -ffile-prefix-map=$(CURDIR)=.
LDFLAGS := -Wl$(comma)--as-needed $(if $(SANITIZE),-fsanitize=address$(comma)undefined,-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
CPPFLAGS := $(if $(FAULTS),-DWARDEN_FAULTS) -DWARDEN_VERSION='"$(VERSION)"' -Iuser -Itools -Ibpf -Itests -Itests/tools -I$(BUILD)/skel -I$(BUILD)/proto
LDLIBS = $(shell pkg-config --libs $(PKGS)) -lm


# Clang for BPF does not know where the distribution keeps asm/.
BPF_CFLAGS := -g -O2 -ffile-prefix-map=$(CURDIR)=. -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -Wall -Wextra -Werror -Wno-unused-parameter \
	      -idirafter /usr/include/$(shell uname -m)-linux-gnu -Ivmlinux -Ibpf

# The files that wardend loads, and the objects linked into each: for each file libbpf parses the kernel's whole BTF.
BPF_FILES := guard rdma vf
guard_OBJECTS := guard devcg self pods
rdma_OBJECTS := netns verbs cm umad
vf_OBJECTS := vf
SKELETONS := $(BPF_FILES:%=$(BUILD)/skel/%.skel.h)

LIB_SRC := $(filter-out user/wardend.c,$(wildcard user/*.c user/*/*.c))
# Code that protoc-c makes of the messages of others.
PROTO_SRC := $(patsubst user/%.proto,$(BUILD)/proto/%.pb-c.c,$(wildcard user/*/*.proto))
PROTO_OBJ := $(PROTO_SRC:%.c=%.o)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) $(PROTO_OBJ)
LIB := $(BUILD)/libwarden.a
PROGRAMS := $(BUILD)/wardend $(BUILD)/wardenctl $(BUILD)/rdma-warden $(BUILD)/rdmatop

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
BPF_TESTS := $(patsubst tests/bpf/%.bpf.c,%,$(wildcard tests/bpf/*_test.bpf.c))
BPF_TEST_PROGRAMS := $(BPF_TESTS:%=$(BUILD)/tests/bpf/%)
# In Go, each in a folder of its name.
STANDINS := $(BUILD)/kubelet-standin $(BUILD)/kube-api-standin
TEST_TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/%,$(wildcard tests/tools/*.c)) $(BUILD)/attack \
	      $(STANDINS)

all: $(PROGRAMS) ## build the programs
.PHONY: all

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
.PHONY: help

setup: ## install what the build, the tests and the lab need
	@tools/setup
.PHONY: setup

# ---- BPF ----

$(BUILD)/bpf/%.tmp.o: bpf/%.bpf.c Makefile
	$(call say,CLANG)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/bpf/%.tmp.o: tests/bpf/%.bpf.c Makefile
	$(call say,CLANG)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

define link_file
$(BUILD)/bpf-files/$(1).bpf.o: $($(1)_OBJECTS:%=$(BUILD)/bpf/%.tmp.o)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(BPFTOOL) gen object $$@ $$^
endef
$(foreach file,$(BPF_FILES),$(eval $(call link_file,$(file))))

$(BUILD)/%.bpf.o: $(BUILD)/%.tmp.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf-files/%.bpf.o
	$(call say,SKEL)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/skel/%_test.skel.h: $(BUILD)/tests/bpf/%_test.bpf.o
	$(call say,SKEL)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_test_bpf > $@

# ---- user space ----

# What has the version in it is compiled anew for another one.
$(BUILD)/version: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(VERSION)' | cmp -s - $@ || printf '%s\n' '$(VERSION)' >$@
.PHONY: FORCE
$(addprefix $(BUILD)/,obj/user/lib/version.o obj/tools/rdma-warden/note.o fuzz/obj/user/lib/version.o): $(BUILD)/version

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h: user/%.proto
	$(call say,PROTO)
	$(Q)mkdir -p $(BUILD)/proto
	$(Q)$(PROTOC_C) --proto_path=user --c_out=$(BUILD)/proto $<

$(BUILD)/proto/%.o: $(BUILD)/proto/%.c Makefile
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: %.c Makefile | $(SKELETONS) $(PROTO_SRC)
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(LIB_OBJ)
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/wardend: $(BUILD)/obj/user/wardend.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/wardenctl: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/wardenctl/*.c)) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

RDMATOP_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/rdmatop/*.c))
$(BUILD)/rdmatop: $(RDMATOP_OBJ) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lncursesw -ltinfo -o $@

# Statically, as it runs on hosts of any kind. A sanitizer's runtime cannot be.
PLUGIN_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/rdma-warden/*.c))
$(BUILD)/rdma-warden: $(PLUGIN_OBJ) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(if $(SANITIZE),$(LDFLAGS),$(filter-out -pie,$(LDFLAGS)) -static-pie) $^ -o $@

# ---- tests ----

TEST_COMMON := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/common/*.c))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(TEST_COMMON) $(LIB)
	$(call say,LINK)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) $(LIB) $(LDLIBS) -lcmocka -o $@

# What a program prints for people is its own, and no part of the library.
$(BUILD)/tests/unit/wardenctl_verify_test: $(BUILD)/obj/tools/wardenctl/verify.o $(BUILD)/obj/tools/wardenctl/print.o

$(patsubst %,$(BUILD)/tests/unit/%_test,semver note): $(filter-out %/rdma-warden.o,$(PLUGIN_OBJ))

$(BUILD)/tests/unit/kube_events_test: | $(BUILD)/kube-api-standin
$(patsubst %,$(BUILD)/tests/unit/rdmatop_%_test,sample rates rows): $(filter-out %/paint.o %/rdmatop.o %/screen.o %/pages.o %/keys.o,$(RDMATOP_OBJ))

$(BPF_TESTS:%=$(BUILD)/obj/tests/bpf/%.o): $(BUILD)/obj/tests/bpf/%.o: $(BUILD)/skel/%.skel.h

$(BUILD)/tests/bpf/%_test: $(BUILD)/obj/tests/bpf/%_test.o $(TEST_COMMON) $(LIB)
	$(call say,LINK)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

# A tool that grew beyond one file has a folder of its name.
VERBS_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/tools/uverbs/*.c))
$(BUILD)/uverbs: $(VERBS_OBJ)
$(BUILD)/frame: $(BUILD)/obj/tests/common/frames.o $(LIB)
ALONE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/tools/alone/*.c))
# Calls into the kernel that fail on demand: tests/tools/alone/calls.c.
ALONE_CALLS := socket mnl_socket_sendto recvfrom open opendir fopen write pwrite fdatasync fsync ftruncate unlink \
	       memfd_create pipe2 posix_spawn fault_ask
$(BUILD)/attach-crash $(BUILD)/attach-random: LDFLAGS += $(if $(FAULTS),$(ALONE_CALLS:%=-Wl$(comma)--wrap=%))
$(BUILD)/attach-crash $(BUILD)/attach-random: $(ALONE_OBJ) $(LIB)
$(BUILD)/ipam-files $(BUILD)/churn: $(LIB)

$(BUILD)/attack: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/attack/*.c)) $(VERBS_OBJ)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@

$(BUILD)/kubelet-standin: $(wildcard tests/tools/kubelet/*)
$(BUILD)/kube-api-standin: $(wildcard tests/tools/kube-api/*)
$(STANDINS): $(BUILD)/%-standin: tests/tools/build-go
	$(call say,GO)
	$(Q)mkdir -p $(@D)
	$(Q)tests/tools/build-go tests/tools/$* $@

# For the tests of the chart alone: it takes minutes, once.
$(BUILD)/helm: tests/tools/build-helm $(wildcard tests/tools/helm/*)
	$(call say,GO)
	$(Q)tests/tools/build-helm $@

# One that is made of the library has what the library needs, too.
$(BUILD)/nodeops $(BUILD)/spiderpool-agent $(BUILD)/config-check: $(BUILD)/%: $(BUILD)/obj/tests/tools/%.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/%: $(BUILD)/obj/tests/tools/%.o
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# A wardend of "another version", whose claims have grown: the lab upgrades to it and back under attack.
OTHER := $(BUILD)/other-layout
$(OTHER)/wardend: Makefile $(wildcard bpf/* vmlinux/* user/*.c user/*/*) tools/lib/apt.sh
	$(call say,OTHER)
	$(Q)rm -rf $(OTHER)/src && mkdir -p $(OTHER)/src && cp -r Makefile bpf vmlinux user tools $(OTHER)/src
	$(Q)sed -i -e 's/^\t__u64 since_ns;.*/&\n\t__u64 added_later[2];/' -e '/struct warden_claim)/s/736/752/' $(OTHER)/src/bpf/warden.h
	$(Q)$(MAKE) --no-print-directory -s -C $(OTHER)/src build/wardend BUILD=build SANITIZE= >/dev/null
	$(Q)cp $(OTHER)/src/build/wardend $@

# ---- a node without Kubernetes' help: deploy/systemd, deploy/man, deploy/completion ----

PREFIX := /usr
UNITDIR := $(PREFIX)/lib/systemd/system
SHARE := $(PREFIX)/share
MAN_PAGES := $(wildcard deploy/man/*.[1-8])

# FOLDER MODE FILES
install_files = $(Q)install -d $(DESTDIR)$(1) && install -m $(2) $(3) $(DESTDIR)$(1)/

install: all ## install everything below DESTDIR, with PREFIX (/usr)
	$(call install_files,$(PREFIX)/sbin,755,$(BUILD)/wardend)
	$(call install_files,$(PREFIX)/bin,755,$(BUILD)/wardenctl $(BUILD)/rdmatop)
	$(call install_files,$(PREFIX)/lib/cni,755,$(BUILD)/rdma-warden)
	$(call install_files,$(UNITDIR),644,deploy/systemd/wardend.service)
	$(Q)sed -i 's,/usr/sbin/,$(PREFIX)/sbin/,' $(DESTDIR)$(UNITDIR)/wardend.service
	$(Q)install -D -m 644 deploy/systemd/rdma-warden.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rdma-warden.conf
	$(Q)for page in $(MAN_PAGES); do \
		install -D -m 644 $$page $(DESTDIR)$(SHARE)/man/man$${page##*.}/$${page##*/} || exit; done
	$(call install_files,$(SHARE)/bash-completion/completions,644,$(wildcard deploy/completion/*))
	$(call install_files,$(SHARE)/rdma-warden/prometheus,644,deploy/prometheus/rules.yaml)
	$(Q)install -D -m 644 deploy/systemd/rdma-warden.modprobe $(DESTDIR)$(SHARE)/rdma-warden/modprobe.d/rdma-warden.conf
	$(call install_files,$(SHARE)/rdma-warden/grafana,644,$(wildcard deploy/grafana/*.json))
	$(call install_files,$(SHARE)/doc/rdma-warden,644,README.md README.zh-CN.md LICENSE deploy/metrics.md deploy/prometheus/RUNBOOK.md)
	$(Q)[ -e $(DESTDIR)/etc/rdma-warden/config.json ] || \
		install -D -m 644 deploy/config.json $(DESTDIR)/etc/rdma-warden/config.json
.PHONY: install

deb: ## build the Debian package, in build/deb
	@tools/build-deb $(VERSION)
.PHONY: deb

tests: $(UNIT_TESTS) $(BPF_TEST_PROGRAMS) $(TEST_TOOLS) $(if $(SANITIZE),,$(OTHER)/wardend) ## build the tests
.PHONY: tests

check: setup ## everything: set-up, build, unit tests, BPF tests, the lab on three kernels
	@tests/check
.PHONY: check

check-fast: ## unit tests and BPF tests on this machine
	@tests/check --fast
.PHONY: check-fast

# ---- what is delivered ----

# The date and the commit that it names are the last commit's, where nobody gives others.
of_commit = SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}" \
	    REVISION="$${REVISION:-$$(git describe --always --abbrev=40 --dirty --exclude='*')}"

image: $(PROGRAMS) ## the container image in build/image: an OCI layout, its archive and its SBOM
	@$(of_commit) deploy/image/build $(BUILD) $(VERSION) $(BUILD)/image
.PHONY: image

bundle: image ## all that a cluster without the internet needs, in build/bundle
	@$(of_commit) deploy/bundle/build $(BUILD)/image $(VERSION) $(BUILD)/bundle
.PHONY: bundle

# For the lab, which upgrades from this version to a later one and goes back.
NEXT_VERSION := 99.0.0
bundles:
	@rm -rf $(BUILD)/bundles && mkdir -p $(BUILD)/bundles
	@$(MAKE) --no-print-directory bundle VERSION=$(NEXT_VERSION) && mv $(BUILD)/bundle/*-offline.tar.zst $(BUILD)/bundles
	@$(MAKE) --no-print-directory bundle && cp $(BUILD)/bundle/*-offline.tar.zst $(BUILD)/bundles
.PHONY: bundles

# ---- figures: not part of check, they depend on the machine and on what else runs there ----

BENCH := $(addprefix $(BUILD)/tests/bench/,arms loop verdict packet exec scrape empty.bpf.o)

$(BUILD)/tests/bench/%.tmp.o: tests/bench/%.bpf.c Makefile
	$(call say,CLANG)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/skel/%.skel.h: $(BUILD)/tests/bench/%.bpf.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/obj/tests/bench/verdict.o: $(BUILD)/skel/verdict.skel.h
$(BUILD)/obj/tests/bench/packet.o: $(BUILD)/skel/packet.skel.h
$(BUILD)/obj/tests/bench/exec.o: $(BUILD)/skel/exec.skel.h
$(BUILD)/tests/bench/packet: $(BUILD)/obj/tests/common/frames.o
$(BUILD)/tests/bench/loop: $(BUILD)/obj/tests/tools/uverbs/verbs.o

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	$(call say,LINK)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

bench: setup ## measure what the warden costs, on KERNEL (6.12)
	@$(MAKE) --no-print-directory all tests $(BENCH)
	@tests/bench/run $(or $(KERNEL),6.12)
.PHONY: bench

demo: setup ## the story of two pods and an intruder, live in the lab
	@$(MAKE) --no-print-directory all tests
	@tests/vm/run --kernel 7.3 tests/vm/demo.sh $$([ "$(DEMO_COLOUR)" != 1 ] && [ ! -t 1 ] || echo --colour)
.PHONY: demo

lab: all tests ## a shell in the lab
	@tests/vm/run
.PHONY: lab

# ---- fuzzing: not part of check, it has no end ----

FUZZ_SECONDS := 60
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -Werror -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

$(BUILD)/fuzz/obj/%.o: %.c Makefile | $(SKELETONS) $(PROTO_SRC)
	$(call say,CLANG)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libwarden.a: $(LIB_SRC:%.c=$(BUILD)/fuzz/obj/%.o) $(PROTO_OBJ)
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/fuzz/%_fuzz: $(BUILD)/fuzz/obj/tests/fuzz/%_fuzz.o $(BUILD)/fuzz/libwarden.a
	$(call say,LINK)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(LDLIBS) -o $@

run-%_fuzz: $(BUILD)/fuzz/%_fuzz
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	@$(BUILD)/fuzz/$*_fuzz -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*

fuzz: $(FUZZERS:%=run-%) ## fuzz the parsers, each for FUZZ_SECONDS (60)
.PHONY: fuzz

# That they still fit what they fuzz.
check-fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/obj/tests/fuzz/%.o)
.PHONY: check-fuzzers

# ---- helpers ----

C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

format: ## rewrite the C files in the project's style
	@$(CLANG_FORMAT) -i $(C_FILES)
.PHONY: format

check-format: ## do the C files follow .clang-format
	@$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
.PHONY: check-format

chart: ## the Helm chart's archive in build/
	@tools/chart $(BUILD)/rdma-warden-chart.tgz $(VERSION)
.PHONY: chart

manifests: $(BUILD)/helm ## render deploy/manifests from the chart
	@tools/manifests $(BUILD)/helm deploy/manifests $(VERSION)
.PHONY: manifests

btf: ## full type headers of the lab's kernels in build/btf, to compare vmlinux/ with
	@tools/btf-headers
.PHONY: btf

clean: ## remove what was built, but not the lab's downloads
	@rm -rf build-sanitize build-faults build-sanitize-faults $(filter-out build/lab,$(wildcard build/*))
.PHONY: clean

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -type f -not -path '*/lab/*' -not -path '*/other-layout/*' -not -path '*/deb/*' 2>/dev/null)
