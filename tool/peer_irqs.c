// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts between a host and its peer.
 */
#include "tool/peer_irqs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openntb/error.h>
#include <openntb/ntb_irq.h>

#include "base/clock.h"
#include "base/log.h"
#include "tool/linux_msi.h"

#define SETTLE_NS (5 * ONTB_NS_PER_S)

/**
 * struct peer_irqs - interrupts; constant once made, unless said
 * @host:     Host.
 * @nr_irqs:  Own ones.
 * @msi:      In the way of Linux, or NULL.
 * @irqs:     With the grant protocol, or NULL. Not for events: they may come before it is there.
 * @virqs:    Numbers of the latter; those that are 0 were not made.
 * @nr_ready: Of the latter, how many have a handler and may be granted. Atomic.
 * @nr_held:  Of the peer's, how many were granted. Atomic.
 * @limit:    Of log lines that the peer can cause.
 */
struct peer_irqs {
	struct ontb_host *host;
	unsigned int nr_irqs;
	struct linux_msi *msi;
	struct ontb_ntb_irqs *irqs;
	unsigned int *virqs;
	atomic_uint nr_ready;
	atomic_uint nr_held;
	struct ontb_ratelimit limit;
};

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	return ONTB_IRQ_HANDLED;
}

static void granted(void *client, struct ontb_ntb_irqs *ntb_irqs, unsigned int peer, unsigned int index)
{
	struct peer_irqs *irqs = client;

	(void)ntb_irqs;
	(void)peer;
	(void)index;
	atomic_fetch_add(&irqs->nr_held, 1);
}

static void revoked(void *client, struct ontb_ntb_irqs *ntb_irqs, unsigned int peer, unsigned int index)
{
	struct peer_irqs *irqs = client;

	(void)ntb_irqs;
	(void)peer;
	(void)index;
	atomic_fetch_sub(&irqs->nr_held, 1);
}

/* What is not ready yet is granted by who makes it ready: that the peer is there was true before this was called. */
static void link_changed(void *client, struct ontb_ntb_irqs *ntb_irqs, unsigned int peer, bool is_up)
{
	struct peer_irqs *irqs = client;

	ontb_log_limited(&irqs->limit, ONTB_LOG_NOTICE, "host %s: link to the peer is %s", ontb_host_name(irqs->host),
			 is_up ? "up" : "down");
	/* The peer's are gone with the link, without a word about each. */
	if (!is_up)
		atomic_store(&irqs->nr_held, 0);
	for (unsigned int i = 0; is_up && i < atomic_load(&irqs->nr_ready); i++) {
		int ret = ontb_ntb_irq_grant(ntb_irqs, i, peer);

		if (ret && ret != -EALREADY)
			ontb_log_limited(&irqs->limit, ONTB_LOG_WARNING, "host %s: interrupt %u cannot be granted: %s",
					 ontb_host_name(irqs->host), i, ontb_strerror(ret));
	}
}

static const struct ontb_ntb_irq_events events = { .granted = granted, .revoked = revoked, .link = link_changed };

static int make_irq(struct peer_irqs *irqs, unsigned int index)
{
	const struct ontb_irq_request request = { .handler = handle, .dev = irqs, .name = "openntb-host" };
	struct ontb_msi_map map;
	int ret = ontb_ntb_irq_alloc(irqs->irqs, index, NULL, &map);

	if (ret)
		return ret;
	ret = ontb_irq_request(ontb_host_irqs(irqs->host), map.virq, &request);
	if (ret)
		(void)ontb_ntb_irq_free(irqs->irqs, index);
	else
		irqs->virqs[index] = map.virq;
	return ret;
}

/* The peer may be there before they are, or after. */
static int make_irqs(struct peer_irqs *irqs, int window, enum ontb_ntb_channel channel)
{
	struct ontb_ntb *ntb = ontb_host_ntb(irqs->host, 0);
	struct ontb_ntb_irqs_config config;
	int ret;

	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = irqs->nr_irqs;
	config.window = window;
	config.channel = channel;
	config.events = &events;
	config.client = irqs;
	config.trust_peers = true;
	ret = ontb_ntb_irqs_new(ntb, &config, &irqs->irqs);
	for (unsigned int i = 0; i < irqs->nr_irqs && !ret; i++) {
		ret = make_irq(irqs, i);
		if (ret)
			break;
		atomic_store(&irqs->nr_ready, i + 1);
		(void)ontb_ntb_irq_grant(irqs->irqs, i, 0);
	}
	return ret;
}

void peer_irqs_free(struct peer_irqs *irqs)
{
	if (!irqs)
		return;
	linux_msi_free(irqs->msi);
	atomic_store(&irqs->nr_ready, 0);
	for (unsigned int i = 0; irqs->irqs && i < irqs->nr_irqs; i++) {
		if (!irqs->virqs[i])
			continue;
		(void)ontb_irq_free(ontb_host_irqs(irqs->host), irqs->virqs[i], irqs);
		(void)ontb_ntb_irq_free(irqs->irqs, i);
	}
	if (irqs->irqs)
		(void)ontb_ntb_irq_settle(irqs->irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS);
	ontb_ntb_irqs_free(irqs->irqs);
	free(irqs->virqs);
	free(irqs);
}

int peer_irqs_new(struct ontb_host *host, enum peer_kind kind, unsigned int nr_irqs, int window, struct peer_irqs **out)
{
	struct peer_irqs *irqs;
	int ret;

	if (!ontb_host_nr_ntbs(host))
		return -ENOLINK;
	irqs = calloc(1, sizeof(*irqs));
	if (!irqs)
		return -ENOMEM;
	irqs->host = host;
	irqs->nr_irqs = nr_irqs;
	irqs->virqs = calloc(nr_irqs + 1, sizeof(*irqs->virqs));
	if (!irqs->virqs)
		ret = -ENOMEM;
	else if (kind == PEER_LINUX)
		ret = linux_msi_new(host, nr_irqs, window, &irqs->msi);
	else
		ret = make_irqs(irqs, window,
				kind == PEER_LINUX_GRANTS ? ONTB_NTB_CHANNEL_SPADS : ONTB_NTB_CHANNEL_AUTO);
	if (ret) {
		peer_irqs_free(irqs);
		return ret;
	}
	*out = irqs;
	return 0;
}

bool peer_irqs_is_up(const struct peer_irqs *irqs)
{
	return ontb_ntb_link_is_up(ontb_host_ntb(irqs->host, 0), 0);
}

unsigned int peer_irqs_nr_held(struct peer_irqs *irqs)
{
	return irqs->msi ? linux_msi_nr_peer_irqs(irqs->msi) : atomic_load(&irqs->nr_held);
}

int peer_irqs_trigger(struct peer_irqs *irqs, unsigned int index)
{
	return irqs->msi ? linux_msi_trigger(irqs->msi, index) : ontb_ntb_irq_trigger(irqs->irqs, 0, index);
}
