// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A VT-d unit as software sees it.
 *
 * The unit reads an entry whenever a message comes, and keeps what it read. An entry is 16 bytes, but its upper half says
 * only who may use it and is constant while the entry is present. So: the upper half is written while the entry is absent;
 * the lower half, one aligned word with the target and the present bit, makes it present, changes its target, or makes it
 * absent. The unit never sees half a change. Then its cache is invalidated, and a wait command tells when that is done,
 * with everything that was under way.
 */
#include "platform/x86/iommu.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include <openntb/machine.h>

#include "base/clock.h"
#include "base/log.h"
#include "platform/x86/irte.h"

#define QUEUE_LEN   (ONTB_PAGE_SIZE / 16) /* one page of commands */
#define TIMEOUT_NS  (1 * ONTB_NS_PER_S)	  /* hardware answers within microseconds */
#define NR_SPINS    1000
#define NR_COMMANDS 2 /* an invalidation and a wait */

uint64_t ontb_iommu_read(const struct ontb_iommu *iommu, unsigned int offset, unsigned int len)
{
	return iommu->machine->ops->mmio_read(iommu->machine, iommu->machine->iommu_base + offset, len);
}

void ontb_iommu_write(const struct ontb_iommu *iommu, unsigned int offset, uint64_t value, unsigned int len)
{
	iommu->machine->ops->mmio_write(iommu->machine, iommu->machine->iommu_base + offset, value, len);
}

static struct ontb_irte *entry_of(const struct ontb_iommu *iommu, unsigned int index)
{
	return (struct ontb_irte *)iommu->table.ptr + index;
}

/* What the unit writes when it comes to a wait command. */
static uint32_t *done_word(const struct ontb_iommu *iommu)
{
	return (uint32_t *)(void *)((char *)iommu->queue.ptr + ONTB_PAGE_SIZE);
}

static void put_locked(struct ontb_iommu *iommu, uint64_t low, uint64_t high) ONTB_MUST_HOLD(iommu->queue_lock)
{
	uint64_t *command = (uint64_t *)iommu->queue.ptr + 2UL * iommu->tail;

	__atomic_store_n(&command[0], low, __ATOMIC_RELAXED);
	__atomic_store_n(&command[1], high, __ATOMIC_RELAXED);
	iommu->tail = (iommu->tail + 1) % QUEUE_LEN;
}

static bool is_done(const struct ontb_iommu *iommu, uint32_t ticket)
{
	return __atomic_load_n(done_word(iommu), __ATOMIC_ACQUIRE) == ticket;
}

static bool wait_done(const struct ontb_iommu *iommu, uint32_t ticket)
{
	uint64_t deadline_ns;

	for (unsigned int i = 0; i < NR_SPINS; i++) {
		if (is_done(iommu, ticket))
			return true;
	}
	deadline_ns = ontb_clock_ns() + TIMEOUT_NS;
	do {
		if (is_done(iommu, ticket))
			return true;
		(void)sched_yield();
	} while (ontb_clock_ns() < deadline_ns);
	return is_done(iommu, ticket);
}

static int run_locked(struct ontb_iommu *iommu, uint64_t command) ONTB_MUST_HOLD(iommu->queue_lock)
{
	uint64_t done_addr = iommu->queue.addr + ONTB_PAGE_SIZE;

	if (atomic_load(&iommu->is_broken))
		return -EIO;
	iommu->ticket++;
	put_locked(iommu, command, 0);
	put_locked(iommu, ONTB_IOMMU_WAIT(iommu->ticket), done_addr);
	/* The store of the register must not pass those of the commands, nor of the entries before. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ontb_iommu_write(iommu, ONTB_IOMMU_IQT, iommu->tail * 16UL, 8);
	if (!wait_done(iommu, iommu->ticket)) {
		atomic_store(&iommu->is_broken, true);
		ontb_log(ONTB_LOG_ERROR, "%s: VT-d unit: it does not carry out commands any more, fault status 0x%x",
			 iommu->machine->name, (unsigned int)ontb_iommu_read(iommu, ONTB_IOMMU_FSTS, 4));
		return -EIO;
	}
	atomic_fetch_add_explicit(&iommu->nr_invalidations, 1, memory_order_relaxed);
	return 0;
}

static int run(struct ontb_iommu *iommu, uint64_t command)
{
	int ret;

	ontb_lock(&iommu->queue_lock);
	ret = run_locked(iommu, command);
	ontb_unlock(&iommu->queue_lock);
	return ret;
}

static void set_low(struct ontb_iommu *iommu, unsigned int index, uint64_t low)
{
	__atomic_store_n(&entry_of(iommu, index)->low, low, __ATOMIC_RELEASE);
}

static void set_high(struct ontb_iommu *iommu, unsigned int index, uint64_t high)
{
	__atomic_store_n(&entry_of(iommu, index)->high, high, __ATOMIC_RELEASE);
}

int ontb_iommu_enter(struct ontb_iommu *iommu, unsigned int index, unsigned int cpu, unsigned int vector, uint64_t high)
{
	int ret;

	if (atomic_load(&iommu->is_broken))
		return -EIO;
	set_high(iommu, index, high);
	set_low(iommu, index, ontb_irte_low(cpu, vector, iommu->is_extended));
	if (!ONTB_IOMMU_CAP_CACHES_ABSENT(iommu->cap))
		return 0;
	ret = run(iommu, ONTB_IOMMU_IEC_SOME(index, 0));
	if (ret)
		set_low(iommu, index, 0);
	return ret;
}

int ontb_iommu_retarget(struct ontb_iommu *iommu, unsigned int index, unsigned int cpu, unsigned int vector)
{
	set_low(iommu, index, ontb_irte_low(cpu, vector, iommu->is_extended));
	return run(iommu, ONTB_IOMMU_IEC_SOME(index, 0));
}

int ontb_iommu_remove(struct ontb_iommu *iommu, unsigned int index)
{
	int ret;

	set_low(iommu, index, 0);
	ret = run(iommu, ONTB_IOMMU_IEC_SOME(index, 0));
	if (!ret)
		set_high(iommu, index, 0);
	return ret;
}

/* Give a command, and wait until the status has the bit as wanted. */
static int command(struct ontb_iommu *iommu, uint32_t bit, bool on, const char *what)
{
	uint32_t now = (uint32_t)ontb_iommu_read(iommu, ONTB_IOMMU_GSTS, 4) & ~ONTB_IOMMU_G_ONE_SHOT;
	uint64_t deadline_ns = ontb_clock_ns() + TIMEOUT_NS;
	bool is_on;

	ontb_iommu_write(iommu, ONTB_IOMMU_GCMD, on ? now | bit : now & ~bit, 4);
	do {
		is_on = ontb_iommu_read(iommu, ONTB_IOMMU_GSTS, 4) & bit;
		if (is_on == on)
			return 0;
		(void)sched_yield();
	} while (ontb_clock_ns() < deadline_ns);
	ontb_log(ONTB_LOG_ERROR, "%s: VT-d unit: cannot switch %s %s: no reaction", iommu->machine->name, what,
		 on ? "on" : "off");
	return -ETIMEDOUT;
}

/* Whoever used the unit before must not go on. */
static int quiesce(struct ontb_iommu *iommu)
{
	uint32_t now = (uint32_t)ontb_iommu_read(iommu, ONTB_IOMMU_GSTS, 4);
	int ret = 0;

	if (now & ONTB_IOMMU_G_REMAPPING)
		ret = command(iommu, ONTB_IOMMU_G_REMAPPING, false, "remapping");
	if (!ret && now & ONTB_IOMMU_G_QUEUE)
		ret = command(iommu, ONTB_IOMMU_G_QUEUE, false, "the queue");
	if (!ret && now & ONTB_IOMMU_G_COMPATIBILITY)
		ret = command(iommu, ONTB_IOMMU_G_COMPATIBILITY, false, "the compatibility format");
	return ret;
}

static int switch_on(struct ontb_iommu *iommu)
{
	unsigned int size = (unsigned int)__builtin_ctz(iommu->nr_entries) - 1;
	int ret = quiesce(iommu);

	if (ret)
		return ret;
	ontb_iommu_write(iommu, ONTB_IOMMU_IQT, 0, 8);
	ontb_iommu_write(iommu, ONTB_IOMMU_IQA, iommu->queue.addr, 8);
	ret = command(iommu, ONTB_IOMMU_G_QUEUE, true, "the queue");
	if (ret)
		return ret;
	ontb_iommu_write(iommu, ONTB_IOMMU_IRTA,
			 iommu->table.addr | size | (iommu->is_extended ? ONTB_IOMMU_IRTA_EXTENDED : 0), 8);
	ret = command(iommu, ONTB_IOMMU_G_TABLE, true, "the table");
	if (!ret && run(iommu, ONTB_IOMMU_IEC_ALL))
		ret = -ETIMEDOUT;
	if (!ret)
		ret = command(iommu, ONTB_IOMMU_G_REMAPPING, true, "remapping");
	return ret;
}

static int check_capabilities(struct ontb_iommu *iommu)
{
	uint64_t ecap = ontb_iommu_read(iommu, ONTB_IOMMU_ECAP, 8);
	const char *lacks = NULL;

	iommu->cap = ontb_iommu_read(iommu, ONTB_IOMMU_CAP, 8);
	if (ecap == UINT64_MAX)
		lacks = "registers";
	else if (!(ecap & ONTB_IOMMU_ECAP_REMAPPING))
		lacks = "interrupt remapping";
	else if (!(ecap & ONTB_IOMMU_ECAP_QUEUE))
		lacks = "queued invalidation";
	iommu->is_extended = ecap & ONTB_IOMMU_ECAP_EXTENDED;
	if (!lacks)
		return 0;
	ontb_log(ONTB_LOG_ERROR, "%s: VT-d unit at 0x%llx: cannot be used: it has no %s", iommu->machine->name,
		 (unsigned long long)iommu->machine->iommu_base, lacks);
	return -EOPNOTSUPP;
}

/* Switch off, and give the memory back, unless the unit may go on reading it. */
static void switch_off(struct ontb_iommu *iommu)
{
	if (quiesce(iommu)) {
		ontb_log(ONTB_LOG_ERROR, "%s: VT-d unit: cannot be switched off: its tables stay where they are",
			 iommu->machine->name);
		return;
	}
	ontb_pages_release(iommu->pages, &iommu->queue);
	ontb_pages_release(iommu->pages, &iommu->table);
}

int ontb_iommu_new(struct ontb_machine *machine, struct ontb_pages *pages, unsigned int nr_entries,
		   struct ontb_iommu **out)
{
	struct ontb_iommu *iommu = calloc(1, sizeof(*iommu));
	int ret;

	if (!iommu)
		return -ENOMEM;
	iommu->machine = machine;
	iommu->pages = pages;
	iommu->nr_entries = nr_entries;
	ontb_lock_init(&iommu->queue_lock);
	ret = check_capabilities(iommu);
	if (ret)
		goto free_iommu;
	ret = ontb_pages_alloc(pages, (uint64_t)nr_entries * sizeof(struct ontb_irte), ONTB_PAGE_SIZE, &iommu->table);
	if (ret)
		goto free_iommu;
	ret = ontb_pages_alloc(pages, 2 * ONTB_PAGE_SIZE, ONTB_PAGE_SIZE, &iommu->queue);
	if (ret)
		goto release_table;
	ret = switch_on(iommu);
	if (ret)
		goto switch_off;
	*out = iommu;
	return 0;

switch_off:
	switch_off(iommu);
	goto free_iommu;
release_table:
	ontb_pages_release(pages, &iommu->table);
free_iommu:
	ontb_lock_fini(&iommu->queue_lock);
	free(iommu);
	return ret;
}

void ontb_iommu_free(struct ontb_iommu *iommu)
{
	if (!iommu)
		return;
	switch_off(iommu);
	ontb_lock_fini(&iommu->queue_lock);
	free(iommu);
}
