// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Driver for NTB endpoints of Switchtec switches: probe, remove, interrupts, and the table of its operations.
 */
#include "ntb/hw/switchtec.h"

#include <errno.h>
#include <stdlib.h>

#include <openntb/ntb_switchtec.h>

static uint64_t peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)peer;
	return ontb_swtec_of(ntb)->outbound[window].size;
}

static void peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);
	const struct ontb_swtec_outbound *out = &sw->outbound[window];

	(void)peer;
	ontb_pci_bar_write32(sw->dev, out->bar, out->offset + offset, value);
}

static void peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
		       size_t len)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);
	const struct ontb_swtec_outbound *out = &sw->outbound[window];

	(void)peer;
	ontb_pci_bar_copy_to(sw->dev, out->bar, out->offset + offset, buf, len);
}

static void peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		      size_t len)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);
	const struct ontb_swtec_outbound *out = &sw->outbound[window];

	(void)peer;
	ontb_pci_bar_copy_from(sw->dev, out->bar, buf, out->offset + offset, len);
}

static const struct ontb_ntb_ops ops = {
	.name = "switchtec",
	.link_enable = ontb_swtec_link_enable,
	.link_disable = ontb_swtec_link_disable,
	.link_is_up = ontb_swtec_link_is_up,
	.window_limits = ontb_swtec_window_limits,
	.window_open = ontb_swtec_window_open,
	.window_close = ontb_swtec_window_close,
	.peer_window_size = peer_window_size,
	.peer_write32 = peer_write32,
	.peer_write = peer_write,
	.peer_read = peer_read,
	.db_valid = ontb_swtec_db_valid,
	.db_read = ontb_swtec_db_read,
	.db_clear = ontb_swtec_db_clear,
	.db_mask = ontb_swtec_db_mask,
	.db_unmask = ontb_swtec_db_unmask,
	.peer_db_set = ontb_swtec_peer_db_set,
	.spad_count = ontb_swtec_spad_count,
	.spad_read = ontb_swtec_spad_read,
	.spad_write = ontb_swtec_spad_write,
	.peer_spad_read = ontb_swtec_peer_spad_read,
	.peer_spad_write = ontb_swtec_peer_spad_write,
	.msg_count = ontb_swtec_msg_count,
	.msg_read = ontb_swtec_msg_read,
	.peer_msg_write = ontb_swtec_peer_msg_write,
	.page = ontb_swtec_page,
	.peer_page_write = ontb_swtec_peer_page_write,
	.guard_size = ontb_swtec_guard_size,
	.guard_set = ontb_swtec_guard_set,
	.guard_enable = ontb_swtec_guard_enable,
};

/* The part says that something happened at a port; which, the link's work finds out. */
static enum ontb_irq_return event_handler(unsigned int virq, void *dev)
{
	struct ontb_swtec *sw = dev;

	(void)virq;
	ontb_worker_kick(sw->worker);
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return doorbell_handler(unsigned int virq, void *dev)
{
	struct ontb_swtec *sw = dev;

	(void)virq;
	ontb_ntb_doorbell_event(sw->ntb);
	return ONTB_IRQ_HANDLED;
}

/* What the link's message says matters only if the peer starts from nothing: everything else is in its page. */
static enum ontb_irq_return message_handler(unsigned int virq, void *dev)
{
	struct ontb_swtec *sw = dev;
	uint32_t message;

	(void)virq;
	if (ontb_swtec_take(sw, 0, &message)) {
		if (message == ONTB_SWTEC_MSG_FORCE_DOWN)
			atomic_store(&sw->is_forced, true);
		ontb_worker_kick(sw->worker);
	}
	if (ontb_swtec_has_message(sw))
		ontb_ntb_message_event(sw->ntb);
	return ONTB_IRQ_HANDLED;
}

static void free_irqs(struct ontb_swtec *sw)
{
	while (sw->nr_requested) {
		unsigned int entry = sw->entries[--sw->nr_requested];

		(void)ontb_irq_free(sw->sys, ontb_pci_irq(sw->dev, entry), sw);
	}
	(void)ontb_pci_free_irqs(sw->dev);
}

static int request_irqs(struct ontb_swtec *sw)
{
	static const struct {
		const char *name;
		ontb_irq_handler *handler;
	} irqs[ONTB_SWTEC_NR_IRQS] = {
		[ONTB_SWTEC_IRQ_EVENT] = { "switchtec-event", event_handler },
		[ONTB_SWTEC_IRQ_DOORBELL] = { "switchtec-doorbell", doorbell_handler },
		[ONTB_SWTEC_IRQ_MESSAGE] = { "switchtec-message", message_handler },
	};
	int ret;

	ret = ontb_pci_alloc_msix(sw->dev, sw->entries, ONTB_SWTEC_NR_IRQS);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < ONTB_SWTEC_NR_IRQS; i++) {
		const struct ontb_irq_request request = {
			.handler = irqs[i].handler,
			.dev = sw,
			.name = irqs[i].name,
			.trigger = ONTB_IRQ_TRIGGER_EDGE,
		};

		ret = ontb_irq_request(sw->sys, ontb_pci_irq(sw->dev, sw->entries[i]), &request);
		if (ret)
			goto free_irqs;
		sw->nr_requested++;
	}
	return 0;

free_irqs:
	free_irqs(sw);
	return ret;
}

static int make_ntb(struct ontb_swtec *sw, struct ontb_msi_dev *msi, struct ontb_worker_pool *workers)
{
	const struct ontb_ntb_config config = {
		.ops = &ops,
		.driver = sw,
		.name = ontb_pci_name(sw->dev),
		.msi = msi,
		.nr_peers = 1,
		.nr_windows = sw->nr_windows,
		.workers = workers,
		.pages = sw->pages,
	};

	return ontb_ntb_new(&config, &sw->ntb);
}

/* What only software sees: the function is not touched. */
static int make_software(struct ontb_swtec *sw, struct ontb_worker_pool *workers)
{
	struct ontb_msi_dev *msi;
	int ret;

	ret = ontb_pci_msi_dev(sw->dev, &msi);
	if (ret)
		return ret;
	sw->sys = ontb_msi_dev_system(msi);
	ret = ontb_pages_alloc(sw->pages, ONTB_SWTEC_PAGE_SIZE, ONTB_SWTEC_PAGE_SIZE, &sw->page);
	if (ret)
		return ret;
	ontb_swtec_init_page(sw);
	ret = make_ntb(sw, msi, workers);
	if (ret)
		goto release_page;
	ret = ontb_worker_new(workers, "ntb-link", ontb_swtec_look_at_link, sw, &sw->worker);
	if (ret)
		goto free_ntb;
	return 0;

free_ntb:
	ontb_ntb_free(sw->ntb);
release_page:
	ontb_pages_release(sw->pages, &sw->page);
	return ret;
}

static void free_software(struct ontb_swtec *sw)
{
	ontb_worker_free(sw->worker);
	ontb_ntb_free(sw->ntb);
	ontb_pages_release(sw->pages, &sw->page);
}

/*
 * In the order of Linux's driver. The last message makes a peer forget a link that a driver before this one had. Linux's sends it
 * always; but at the other end it sets its page up anew then, with no lock against clients that set up windows, and either may
 * fail (6.12, switchtec_ntb_reinit_peer()). So it is sent only where it may be needed.
 */
static int start_hardware(struct ontb_swtec *sw)
{
	int ret;

	sw->nr_guards = ontb_swtec_find_guard(sw);
	ontb_swtec_reset_guard(sw);
	ret = ontb_swtec_init_req_ids(sw);
	if (ret)
		return ret;
	ontb_swtec_init_dbmsg(sw);
	ontb_swtec_enable_events(sw);
	ret = ontb_swtec_show_page(sw);
	if (ret)
		return ret;
	if (ontb_swtec_peer_may_have_link(sw))
		ontb_swtec_send(sw, 0, ONTB_SWTEC_MSG_FORCE_DOWN);
	return 0;
}

/* Without bus mastering nothing of a peer arrives, whatever windows are open. */
static void stop_hardware(struct ontb_swtec *sw)
{
	ontb_swtec_quiet_dbmsg(sw);
	ontb_swtec_hide_all(sw);
	ontb_swtec_reset_guard(sw);
	ontb_pci_set_master(sw->dev, false);
}

static void init_locks(struct ontb_swtec *sw)
{
	ontb_lock_init(&sw->ctrl_lock);
	ontb_lock_init(&sw->db_lock);
	ontb_lock_init(&sw->msg_lock);
	ontb_lock_init(&sw->guard_lock);
	ontb_lock_init(&sw->link_lock);
}

static void free_driver(struct ontb_swtec *sw)
{
	ontb_lock_fini(&sw->link_lock);
	ontb_lock_fini(&sw->guard_lock);
	ontb_lock_fini(&sw->msg_lock);
	ontb_lock_fini(&sw->db_lock);
	ontb_lock_fini(&sw->ctrl_lock);
	free(sw);
}

bool ontb_ntb_switchtec_matches(const struct ontb_pci_dev *dev)
{
	return ontb_pci_vendor(dev) == ONTB_SWTEC_VENDOR && ontb_pci_class(dev) == ONTB_SWTEC_CLASS;
}

/* Everything from the moment the function answers to the moment it works. */
static int bring_up(struct ontb_swtec *sw, struct ontb_worker_pool *workers)
{
	int ret;

	ret = ontb_swtec_find_out(sw);
	if (ret)
		return ret;
	ontb_swtec_add_aliases(sw);
	ret = make_software(sw, workers);
	if (ret)
		return ret;
	ontb_swtec_init_events(sw);
	ontb_pci_set_master(sw->dev, true);
	ret = request_irqs(sw);
	if (ret)
		goto free_software;
	ret = start_hardware(sw);
	if (ret)
		goto stop_hardware;
	return 0;

stop_hardware:
	stop_hardware(sw);
	free_irqs(sw);
free_software:
	ontb_pci_set_master(sw->dev, false);
	free_software(sw);
	return ret;
}

int ontb_ntb_switchtec_probe(struct ontb_pci_dev *dev, struct ontb_worker_pool *workers, struct ontb_pages *pages,
			     struct ontb_ntb **out)
{
	struct ontb_swtec *sw;
	int ret;

	if (!ontb_ntb_switchtec_matches(dev)) {
		ontb_log(ONTB_LOG_ERROR, "%s: not an NTB endpoint of a Switchtec switch", ontb_pci_name(dev));
		return -EOPNOTSUPP;
	}
	sw = calloc(1, sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	sw->dev = dev;
	sw->pages = pages;
	sw->never_sleep = ontb_worker_pool_is_stepped(workers);
	init_locks(sw);
	ret = ontb_pci_enable(dev);
	if (ret)
		goto free_driver;
	ret = bring_up(sw, workers);
	if (ret)
		goto disable;
	*out = sw->ntb;
	return 0;

disable:
	(void)ontb_pci_disable(dev);
free_driver:
	free_driver(sw);
	return ret;
}

/* First nobody is told of anything any more, then nothing arrives any more, then the memory goes. */
void ontb_ntb_switchtec_remove(struct ontb_ntb *ntb)
{
	struct ontb_swtec *sw;

	if (!ntb)
		return;
	sw = ontb_swtec_of(ntb);
	ontb_swtec_link_disable(ntb);
	ontb_swtec_quiet_dbmsg(sw);
	free_irqs(sw);
	stop_hardware(sw);
	free_software(sw);
	(void)ontb_pci_disable(sw->dev);
	free_driver(sw);
}
