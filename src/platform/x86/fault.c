// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Faults.
 *
 * The unit records a fault in one of a few registers and raises an interrupt, by a message of its own that is not remapped. It
 * raises no other until all records were taken, so a flood of blocked messages costs its sender's victims nothing.
 */
#include "platform/x86/fault.h"

#include <errno.h>
#include <stdlib.h>

#include <openntb/worker.h>

#include "platform/x86/irte.h"
#include "platform/x86/iommu.h"
#include "platform/x86/x86.h"

/**
 * struct ontb_iommu_faults - faults of a unit
 * @x86:          Root. Constant.
 * @domain:       Domain of the unit's own interrupt. Constant.
 * @virq:         That interrupt. Constant.
 * @worker:       Looks at faults, or NULL. Constant.
 * @lock:         The fault lock.
 * @nr_faults:    Faults so far. Under @lock.
 * @nr_overflows: How often there was no room for one. Under @lock.
 * @rid:          Requester id of the last one. Under @lock.
 * @index:        Entry of the last one. Under @lock.
 * @reason:       Reason of the last one. Under @lock.
 * @limit:        Of log lines about faults.
 */
struct ontb_iommu_faults {
	struct ontb_x86 *x86;
	struct ontb_irq_domain *domain;
	unsigned int virq;
	struct ontb_worker *worker;
	struct ontb_lock lock;
	uint64_t nr_faults;
	uint64_t nr_overflows;
	uint16_t rid;
	uint16_t index;
	uint8_t reason;
	struct ontb_ratelimit limit;
};

/* "Fault Reason Encodings": those of interrupt remapping. */
const char *ontb_x86_fault_text(uint8_t reason)
{
	switch (reason) {
	case 0:
		return "none";
	case 0x20:
		return "reserved bits of the message are set";
	case 0x21:
		return "the index is beyond the table";
	case 0x22:
		return "the entry is not present";
	case 0x23:
		return "the table cannot be read";
	case 0x24:
		return "reserved bits of the entry are set";
	case 0x25:
		return "messages in compatibility format are blocked";
	case 0x26:
		return "the source may not use the entry";
	default:
		return "unknown reason";
	}
}

static void take_locked(struct ontb_iommu_faults *faults, uint64_t low, uint64_t high) ONTB_MUST_HOLD(faults->lock)
{
	faults->nr_faults++;
	faults->rid = ONTB_IOMMU_FAULT_RID(high);
	faults->index = ONTB_IOMMU_FAULT_INDEX(low);
	faults->reason = ONTB_IOMMU_FAULT_REASON(high);
	ontb_log_limited(&faults->limit, ONTB_LOG_WARNING,
			 "%s: VT-d unit: message of %02x:%02x.%x for entry %u blocked: %s (fault 0x%02x)",
			 faults->x86->machine->name, faults->rid >> 8, faults->rid >> 3 & 0x1f, faults->rid & 7,
			 faults->index, ontb_x86_fault_text(faults->reason), faults->reason);
}

/* Take a record if there is one. */
static bool take_record_locked(struct ontb_iommu_faults *faults, unsigned int idx) ONTB_MUST_HOLD(faults->lock)
{
	const struct ontb_iommu *iommu = faults->x86->iommu;
	unsigned int offset = ONTB_IOMMU_CAP_FAULT_OFFSET(iommu->cap) + idx * ONTB_IOMMU_FAULT_SIZE;
	uint64_t high = ontb_iommu_read(iommu, offset + 8, 8);

	if (!(high & ONTB_IOMMU_FAULT_VALID))
		return false;
	take_locked(faults, ontb_iommu_read(iommu, offset, 8), high);
	ontb_iommu_write(iommu, offset + 12, ONTB_IOMMU_FAULT_VALID >> 32, 4);
	return true;
}

static unsigned int poll_locked(struct ontb_iommu_faults *faults) ONTB_MUST_HOLD(faults->lock)
{
	const struct ontb_iommu *iommu = faults->x86->iommu;
	unsigned int nr_records = ONTB_IOMMU_CAP_NR_FAULTS(iommu->cap), nr = 0;
	uint32_t fsts = (uint32_t)ontb_iommu_read(iommu, ONTB_IOMMU_FSTS, 4);
	unsigned int idx = ONTB_IOMMU_FSTS_FIRST(fsts) % nr_records;

	/* Once around: the records are a ring, and the unit goes on at the place after the last one. */
	for (unsigned int i = 0; i < nr_records && take_record_locked(faults, idx); i++) {
		idx = (idx + 1) % nr_records;
		nr++;
	}
	if (fsts & ONTB_IOMMU_FSTS_OVERFLOW) {
		faults->nr_overflows++;
		ontb_iommu_write(iommu, ONTB_IOMMU_FSTS, ONTB_IOMMU_FSTS_OVERFLOW, 4);
	}
	return nr;
}

unsigned int ontb_iommu_faults_poll(struct ontb_iommu_faults *faults)
{
	unsigned int all = 0, nr;

	ontb_lock(&faults->lock);
	/* What comes while looking raises no interrupt as long as one record is left, so look until there is none. */
	do {
		nr = poll_locked(faults);
		all += nr;
	} while (nr && ontb_iommu_read(faults->x86->iommu, ONTB_IOMMU_FSTS, 4) & ONTB_IOMMU_FSTS_PENDING);
	ontb_unlock(&faults->lock);
	return all;
}

void ontb_iommu_faults_status(struct ontb_iommu_faults *faults, struct ontb_x86_status *status)
{
	ontb_lock(&faults->lock);
	status->nr_faults = faults->nr_faults;
	status->nr_overflows = faults->nr_overflows;
	status->fault_rid = faults->rid;
	status->fault_index = faults->index;
	status->fault_reason = faults->reason;
	ontb_unlock(&faults->lock);
}

static struct ontb_iommu *iommu_of(const struct ontb_irq_data *data)
{
	const struct ontb_iommu_faults *faults = ontb_irq_domain_data(data->domain);

	return faults->x86->iommu;
}

static int fault_write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	const struct ontb_iommu *iommu = iommu_of(data);

	/* Masked, so that it does not send one half of the old message and one of the new; what comes is kept. */
	ontb_iommu_write(iommu, ONTB_IOMMU_FECTL, ONTB_IOMMU_FECTL_MASK, 4);
	(void)ontb_iommu_read(iommu, ONTB_IOMMU_FECTL, 4);
	if (!msg)
		return 0;
	ontb_iommu_write(iommu, ONTB_IOMMU_FEDATA, msg->data, 4);
	ontb_iommu_write(iommu, ONTB_IOMMU_FEADDR, (uint32_t)msg->addr, 4);
	ontb_iommu_write(iommu, ONTB_IOMMU_FEUADDR, (uint32_t)(msg->addr >> 32), 4);
	ontb_iommu_write(iommu, ONTB_IOMMU_FECTL, 0, 4);
	(void)ontb_iommu_read(iommu, ONTB_IOMMU_FECTL, 4);
	return 0;
}

static const struct ontb_irq_chip fault_chip = {
	.name = "VT-d",
	.write_msg = fault_write_msg,
};

static int fault_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	int ret = ontb_irq_domain_alloc_parent(domain, virq, nr, arg);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = ontb_irq_domain_set_info(domain, virq + i, i, &fault_chip, NULL);
	if (ret)
		ontb_irq_domain_free_parent(domain, virq, nr);
	return ret;
}

static void fault_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	ontb_irq_domain_free_parent(domain, virq, nr);
}

static const struct ontb_irq_domain_ops fault_ops = {
	.alloc = fault_alloc,
	.free = fault_free,
};

static void look(void *arg)
{
	(void)ontb_iommu_faults_poll(arg);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct ontb_iommu_faults *faults = dev;

	(void)virq;
	if (faults->worker)
		ontb_worker_kick(faults->worker);
	else
		look(faults);
	return ONTB_IRQ_HANDLED;
}

static int request(struct ontb_iommu_faults *faults)
{
	const struct ontb_irq_request req = { .handler = handle, .dev = faults, .name = "VT-d faults" };
	int ret = ontb_irq_domain_alloc(faults->domain, 1, NULL, NULL);

	if (ret < 0)
		return ret;
	faults->virq = (unsigned int)ret;
	ret = ontb_irq_request(faults->x86->irqs, faults->virq, &req);
	if (ret)
		(void)ontb_irq_domain_release(faults->domain, faults->virq, 1); /* without a handler it cannot fail */
	return ret;
}

int ontb_iommu_faults_new(struct ontb_x86 *x86, struct ontb_worker_pool *workers, struct ontb_iommu_faults **out)
{
	struct ontb_iommu_faults *faults = calloc(1, sizeof(*faults));
	const struct ontb_irq_domain_config config = {
		.name = "VT-d-0",
		.token = ONTB_BUS_DEVICE,
		.parent = x86->vectors,
		.size = 1,
		.ops = &fault_ops,
		.data = faults,
	};
	int ret;

	if (!faults)
		return -ENOMEM;
	faults->x86 = x86;
	ontb_lock_init(&faults->lock);
	ret = workers ? ontb_worker_new(workers, "vtd-faults", look, faults, &faults->worker) : 0;
	if (ret)
		goto free_faults;
	ret = ontb_irq_domain_new(x86->irqs, &config, &faults->domain);
	if (ret)
		goto free_worker;
	ret = request(faults);
	if (ret)
		goto free_domain;
	*out = faults;
	return 0;

free_domain:
	(void)ontb_irq_domain_free(faults->domain); /* without interrupts it cannot fail */
free_worker:
	ontb_worker_free(faults->worker);
free_faults:
	ontb_lock_fini(&faults->lock);
	free(faults);
	return ret;
}

void ontb_iommu_faults_free(struct ontb_iommu_faults *faults)
{
	if (!faults)
		return;
	/* None of these can fail: the interrupt is ours alone. */
	(void)ontb_irq_free(faults->x86->irqs, faults->virq, faults);
	(void)ontb_irq_domain_release(faults->domain, faults->virq, 1);
	(void)ontb_irq_domain_free(faults->domain);
	ontb_worker_free(faults->worker);
	ontb_lock_fini(&faults->lock);
	free(faults);
}
