// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Domain #2: the interrupt domain whose messages live with peers. "Writing a message" means telling its holders.
 */
#include "ntb/irq/irqs.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"

/* Called with the interrupt's slow lock held, so it says what has to be said and leaves the rest to the worker. */
static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct ontb_ntb_irqs *irqs = ontb_irq_domain_data(data->domain);
	struct ontb_own *own = &irqs->owns[data->hwirq];
	int ret;

	if (msg && (msg->addr < irqs->range_first || msg->addr & 3 ||
		    !ontb_range_fits(msg->addr - irqs->range_first, 4, irqs->range_size))) {
		ontb_log(ONTB_LOG_ERROR,
			 "%s: index %" PRIu64 ": message to address 0x%" PRIx64 ", which no window can show: refused",
			 ontb_ntb_name(irqs->ntb), data->hwirq, msg->addr);
		return -ERANGE;
	}
	ontb_lock(&irqs->lock);
	ret = ontb_own_set_message(irqs, own, data, msg);
	ontb_unlock(&irqs->lock);
	return ret;
}

int ontb_irqs_domain_new(struct ontb_ntb_irqs *irqs)
{
	const struct ontb_msi_template template = {
		.prefix = "NTB-",
		.token = ONTB_BUS_NTB,
		.nr_indices = irqs->config.nr_irqs,
		.flow = ONTB_IRQ_EDGE,
		.flags = ONTB_IRQ_DOMAIN_STAY_ACTIVE,
		.chip = { .name = "NTB", .write_msg = write_msg },
		.data = irqs,
	};
	int ret;

	ret = ontb_msi_domain_new(irqs->msi, irqs->config.slot, &template);
	if (ret)
		return ret == -EEXIST ? -EBUSY : ret;
	ret = ontb_msi_message_range(irqs->msi, irqs->config.slot, &irqs->range_first, &irqs->range_size);
	if (ret || !irqs->range_size) {
		ontb_log(ONTB_LOG_ERROR,
			 "%s: the MSI parent does not say where its messages go: no window can show them",
			 ontb_ntb_name(irqs->ntb));
		(void)ontb_msi_domain_free(irqs->msi, irqs->config.slot);
		return -EOPNOTSUPP;
	}
	return 0;
}
