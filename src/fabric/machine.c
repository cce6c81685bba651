// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Machines: construction, and the operations of their software.
 *
 * Decoding an address is a walk over a few rows, each an atomic load and a comparison; a row changes with a single store.
 */
#include "fabric/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

#define NOWHERE	   1ULL
#define COPY_CHUNK 16384U
/* There may be many more CPUs here than in the computer: they sleep at once. */
#define NR_SPINS 0

static struct ontb_fmachine *to_machine(struct ontb_machine *machine)
{
	return ontb_container_of(machine, struct ontb_fmachine, machine);
}

static struct ontb_fm_bar *find_bar(struct ontb_fmachine *m, uint64_t addr)
{
	for (unsigned int i = 0; i < m->nr_bars; i++) {
		struct ontb_fm_bar *bar = &m->bars[i];

		if ((addr & bar->mask) == atomic_load_explicit(&bar->base, memory_order_relaxed))
			return bar;
	}
	return NULL;
}

static void count_unanswered(struct ontb_fmachine *m)
{
	atomic_fetch_add_explicit(&m->nr_unanswered, 1, memory_order_relaxed);
}

static bool in_iommu(const struct ontb_fmachine *m, uint64_t addr, size_t len)
{
	return m->vtd && addr >= ONTB_FM_IOMMU_BASE &&
	       ontb_range_fits(addr - ONTB_FM_IOMMU_BASE, len, ONTB_VTD_REG_SIZE);
}

/*
 * How much of an access one thing answers: it is cut where a BAR ends, and, where nothing is, at the next place where
 * something could begin.
 */
static size_t cut(const struct ontb_fm_bar *bar, uint64_t addr, size_t len)
{
	uint64_t size = bar ? ~bar->mask + 1 : 16, n = size - (addr & (size - 1));

	if (n > COPY_CHUNK)
		n = COPY_CHUNK;
	return n < len ? (size_t)n : len;
}

static void copy_from(struct ontb_machine *machine, void *buf, uint64_t addr, size_t len)
{
	struct ontb_fmachine *m = to_machine(machine);
	uint8_t *dst = buf;

	while (len) {
		const struct ontb_fm_bar *bar = find_bar(m, addr);
		size_t n = cut(bar, addr, len);

		if (bar) {
			ontb_function_read(bar->function, bar->bar, addr & ~bar->mask, dst, n);
		} else {
			count_unanswered(m);
			memset(dst, 0xff, n);
		}
		dst += n;
		addr += n;
		len -= n;
	}
}

static void copy_to(struct ontb_machine *machine, uint64_t addr, const void *buf, size_t len)
{
	struct ontb_fmachine *m = to_machine(machine);
	const uint8_t *src = buf;

	while (len) {
		const struct ontb_fm_bar *bar = find_bar(m, addr);
		size_t n = cut(bar, addr, len);

		if (bar)
			ontb_function_write(bar->function, bar->bar, addr & ~bar->mask, src, n);
		else
			count_unanswered(m);
		src += n;
		addr += n;
		len -= n;
	}
}

static bool is_width(unsigned int len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

static uint64_t all_ones(unsigned int len)
{
	return len < 8 ? (1ULL << 8 * len) - 1 : UINT64_MAX;
}

static uint64_t mmio_read(struct ontb_machine *machine, uint64_t addr, unsigned int len)
{
	struct ontb_fmachine *m = to_machine(machine);
	uint8_t bytes[8] = { 0 };

	if (!is_width(len)) {
		count_unanswered(m);
		return UINT64_MAX;
	}
	if (ontb_unlikely(in_iommu(m, addr, len)))
		return ontb_vtd_read(m->vtd, addr - ONTB_FM_IOMMU_BASE, len) & all_ones(len);
	copy_from(machine, bytes, addr, len);
	return ontb_get_le64(bytes);
}

static void mmio_write(struct ontb_machine *machine, uint64_t addr, uint64_t value, unsigned int len)
{
	struct ontb_fmachine *m = to_machine(machine);
	uint8_t bytes[8];

	if (!is_width(len)) {
		count_unanswered(m);
		return;
	}
	if (ontb_unlikely(in_iommu(m, addr, len))) {
		ontb_vtd_write(m->vtd, addr - ONTB_FM_IOMMU_BASE, value, len);
		return;
	}
	ontb_put_le64(bytes, value);
	copy_to(machine, addr, bytes, len);
}

static struct ontb_function *find_function(struct ontb_fmachine *m, uint16_t rid)
{
	/* Requester ids of a bus with single functions: every eighth. */
	unsigned int dev = rid / 8U;

	if (rid % 8 || dev < ONTB_FM_FIRST_DEV || dev - ONTB_FM_FIRST_DEV >= m->nr_slots)
		return NULL;
	return m->slots[dev - ONTB_FM_FIRST_DEV].function;
}

static bool is_config_access(unsigned int offset, unsigned int len)
{
	return (len == 1 || len == 2 || len == 4) && offset % len == 0;
}

static uint32_t config_read(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len)
{
	struct ontb_fmachine *m = to_machine(machine);
	struct ontb_function *function = find_function(m, rid);
	uint8_t bytes[4] = { 0 };

	if (!function || !is_config_access(offset, len)) {
		count_unanswered(m);
		return (uint32_t)all_ones(len < 4 ? len : 4);
	}
	ontb_function_config_read(function, offset, bytes, len);
	return ontb_get_le32(bytes);
}

static void config_write(struct ontb_machine *machine, uint16_t rid, unsigned int offset, uint32_t value,
			 unsigned int len)
{
	struct ontb_fmachine *m = to_machine(machine);
	struct ontb_function *function = find_function(m, rid);
	uint8_t bytes[4];

	if (!function || !is_config_access(offset, len)) {
		count_unanswered(m);
		return;
	}
	ontb_put_le32(bytes, value);
	ontb_function_config_write(function, offset, bytes, len);
}

static uint64_t apic_read(struct ontb_machine *machine, unsigned int cpu, unsigned int reg)
{
	struct ontb_fmachine *m = to_machine(machine);

	return cpu < machine->nr_cpus ? ontb_lapic_read(&m->bus.lapics[cpu], reg) : 0;
}

static void apic_write(struct ontb_machine *machine, unsigned int cpu, unsigned int reg, uint64_t value)
{
	struct ontb_fmachine *m = to_machine(machine);

	if (cpu < machine->nr_cpus)
		ontb_lapic_write(&m->bus.lapics[cpu], reg, value);
}

static void set_entry(struct ontb_machine *machine, ontb_machine_entry *entry, void *arg)
{
	struct ontb_fmachine *m = to_machine(machine);

	for (unsigned int i = 0; i < machine->nr_cpus; i++)
		ontb_cpu_set_entry(&m->cpus[i], entry, arg);
}

static int cpu_start(struct ontb_machine *machine, unsigned int cpu)
{
	struct ontb_fmachine *m = to_machine(machine);

	return cpu < machine->nr_cpus ? ontb_cpu_start(&m->cpus[cpu]) : -ERANGE;
}

static void cpu_stop(struct ontb_machine *machine, unsigned int cpu)
{
	struct ontb_fmachine *m = to_machine(machine);

	/* A CPU that stops itself is refused, with a log line of its own. */
	if (cpu < machine->nr_cpus)
		(void)ontb_cpu_stop(&m->cpus[cpu]);
}

static const struct ontb_machine_ops machine_ops = {
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.mmio_copy_to = copy_to,
	.mmio_copy_from = copy_from,
	.config_read = config_read,
	.config_write = config_write,
	.apic_read = apic_read,
	.apic_write = apic_write,
	.set_entry = set_entry,
	.cpu_start = cpu_start,
	.cpu_stop = cpu_stop,
};

/* The file may go to the server of another process's function, which must not be able to make an access here fault. */
static int map_ram(struct ontb_fmachine *m, uint64_t size)
{
	int ret;

	m->ram_fd = memfd_create(m->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->ram_fd < 0)
		return -errno;
	if (ftruncate(m->ram_fd, (off_t)size) ||
	    fcntl(m->ram_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		ret = -errno;
		goto close_fd;
	}
	m->machine.ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->ram_fd, 0);
	if (m->machine.ram == MAP_FAILED) {
		ret = -errno;
		goto close_fd;
	}
	m->machine.ram_base = ONTB_FM_RAM_BASE;
	m->machine.ram_size = size;
	return 0;

close_fd:
	(void)close(m->ram_fd);
	return ret;
}

static void unmap_ram(struct ontb_fmachine *m)
{
	(void)munmap(m->machine.ram, m->machine.ram_size);
	(void)close(m->ram_fd);
}

static int make_cpus(struct ontb_fmachine *m, unsigned int nr_cpus, bool is_stepped)
{
	int ret = ontb_apic_bus_init(&m->bus, m->name, nr_cpus);

	if (ret)
		return ret;
	m->cpus = calloc(nr_cpus, sizeof(*m->cpus));
	if (!m->cpus) {
		ontb_apic_bus_fini(&m->bus);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr_cpus; i++)
		ontb_cpu_init(&m->cpus[i], &m->bus.lapics[i], is_stepped, NR_SPINS);
	m->machine.nr_cpus = nr_cpus;
	m->machine.is_stepped = is_stepped;
	return 0;
}

static void free_cpus(struct ontb_fmachine *m)
{
	for (unsigned int i = 0; i < m->machine.nr_cpus; i++)
		ontb_cpu_fini(&m->cpus[i]);
	free(m->cpus);
	ontb_apic_bus_fini(&m->bus);
}

static int make_vtd(struct ontb_fmachine *m)
{
	const struct ontb_vtd_config config = {
		.name = m->name,
		.bus = &m->bus,
		.memory = &ontb_root_vtd_memory,
		.memory_arg = &m->root,
	};
	int ret = ontb_vtd_new(&config, &m->vtd);

	if (ret)
		return ret;
	m->root.vtd = m->vtd;
	m->machine.iommu_base = ONTB_FM_IOMMU_BASE;
	return 0;
}

static void place_bars(struct ontb_fmachine *m, uint64_t bar_bytes)
{
	bool fits = bar_bytes <= ONTB_FM_BAR_END - ONTB_FM_BAR_BASE;

	m->machine.bar_base = fits ? ONTB_FM_BAR_BASE : ONTB_FM_BAR64_BASE;
	m->machine.bar_size = fits ? ONTB_FM_BAR_END - ONTB_FM_BAR_BASE : ONTB_FM_BAR64_SIZE;
}

int ontb_fmachine_new(const struct ontb_topo_host *host, uint64_t bar_bytes, bool is_stepped,
		      struct ontb_fmachine **out)
{
	struct ontb_fmachine *m;
	int ret;

	m = aligned_alloc(_Alignof(struct ontb_fmachine), sizeof(*m));
	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	memcpy(m->name, host->name, sizeof(m->name));
	m->machine.ops = &machine_ops;
	m->machine.name = m->name;
	ret = map_ram(m, host->ram_size);
	if (ret)
		goto free_machine;
	ret = make_cpus(m, host->nr_cpus, is_stepped);
	if (ret)
		goto unmap_ram;
	m->root.ram = m->machine.ram;
	m->root.ram_base = m->machine.ram_base;
	m->root.ram_size = m->machine.ram_size;
	m->root.bus = &m->bus;
	if (host->remap)
		ret = make_vtd(m);
	if (ret)
		goto free_cpus;
	place_bars(m, bar_bytes);
	*out = m;
	return 0;

free_cpus:
	free_cpus(m);
unmap_ram:
	unmap_ram(m);
free_machine:
	free(m);
	return ret;
}

void ontb_fmachine_free_functions(struct ontb_fmachine *machine)
{
	while (machine->nr_slots)
		ontb_function_free(machine->slots[--machine->nr_slots].function);
	machine->nr_bars = 0;
}

void ontb_fmachine_free(struct ontb_fmachine *machine)
{
	if (!machine)
		return;
	ontb_fmachine_free_functions(machine);
	ontb_vtd_free(machine->vtd);
	free_cpus(machine);
	unmap_ram(machine);
	free(machine);
}

static void bar_moved(void *arg, unsigned int bar, uint64_t addr)
{
	const struct ontb_fm_slot *slot = arg;

	if (slot->bars[bar])
		atomic_store_explicit(&slot->bars[bar]->base, addr ? addr : NOWHERE, memory_order_relaxed);
}

static void add_bars(struct ontb_fmachine *m, struct ontb_fm_slot *slot)
{
	struct ontb_function *function = slot->function;

	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		struct ontb_fm_bar *bar = &m->bars[m->nr_bars];

		if (!function->info.bars[b].size)
			continue;
		bar->mask = ~(function->info.bars[b].size - 1);
		bar->function = function;
		bar->bar = b;
		atomic_init(&bar->base, NOWHERE);
		slot->bars[b] = bar;
		m->nr_bars++;
	}
}

int ontb_fmachine_add(struct ontb_fmachine *machine, const struct ontb_function_config *config,
		      struct ontb_function **out)
{
	struct ontb_function_config complete = *config;
	struct ontb_fm_slot *slot;
	int ret;

	if (machine->nr_slots == ONTB_ARRAY_SIZE(machine->slots))
		return -ENOSPC;
	slot = &machine->slots[machine->nr_slots];
	*slot = (struct ontb_fm_slot){ .machine = machine };
	complete.root = &machine->root;
	complete.rid = ONTB_RID(0, ONTB_FM_FIRST_DEV + machine->nr_slots, 0);
	complete.moved = bar_moved;
	complete.arg = slot;
	ret = ontb_function_new(&complete, &slot->function);
	if (ret)
		return ret;
	add_bars(machine, slot);
	machine->nr_slots++;
	if (out)
		*out = slot->function;
	return 0;
}
