// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * NTB interrupts in the way of Linux's ntb_msi_test.
 */
#include "tool/linux_msi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <openntb/error.h>
#include <openntb/ntb.h>

#include "base/log.h"

#define SLOT	 1U
#define NONE_YET 0xffffffffU /* in scratchpad 0 while a host has told nothing */
#define LOOK	 1ULL	     /* doorbell bit */

/**
 * struct own - an interrupt of this host
 * @msi:     All.
 * @virq:    Number. Constant.
 * @has_msg: @msg is valid. Under the lock.
 * @msg:     Message. Under the lock.
 */
struct own {
	struct linux_msi *msi;
	unsigned int virq;
	bool has_msg;
	struct ontb_msi_msg msg;
};

/**
 * struct theirs - an interrupt of the peer
 * @offset: In the outbound window.
 * @data:   What to store there.
 */
struct theirs {
	uint32_t offset;
	uint32_t data;
};

/**
 * struct linux_msi - both
 * @host:      Host. Constant.
 * @ntb:       Bridge. Constant.
 * @window:    Window of the interrupt addresses. Constant.
 * @nr_irqs:   Own interrupts. Constant.
 * @nr_ready:  Of these, how many have a handler. While it is made and taken apart.
 * @owns:      Own interrupts. Constant pointer.
 * @lock:      Leaf lock of the next ones and of the messages of @owns.
 * @is_open:   The inbound window is open, from @first on.
 * @first:     .
 * @nr_theirs: Interrupts of the peer.
 * @theirs:    They.
 * @limit:     Of log lines that the peer can cause.
 */
struct linux_msi {
	struct ontb_host *host;
	struct ontb_ntb *ntb;
	unsigned int window;
	unsigned int nr_irqs;
	unsigned int nr_ready;
	struct own *owns;
	struct ontb_lock lock;
	bool is_open;
	uint64_t first;
	unsigned int nr_theirs;
	struct theirs *theirs;
	struct ontb_ratelimit limit;
};

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	return ONTB_IRQ_HANDLED;
}

/* The message is there before it is told, and is never told anew: see set_affinity(). */
static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct own *own = ontb_msi_cookie(data);

	ontb_lock(&own->msi->lock);
	own->has_msg = msg;
	if (msg)
		own->msg = *msg;
	ontb_unlock(&own->msi->lock);
	return 0;
}

static int set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct own *own = ontb_msi_cookie(data);
	const struct ontb_msi_parent *parent = ontb_irq_domain_msi_parent(ontb_irq_domain_parent(data->domain));
	bool is_told;

	ontb_lock(&own->msi->lock);
	is_told = own->msi->is_open;
	ontb_unlock(&own->msi->lock);
	/* Nobody says when the peer has stopped to use the old message, so there must not be a new one. */
	if (is_told && parent->message == ONTB_MSI_MOVES)
		return -EBUSY;
	return ontb_irq_chip_set_affinity_parent(data, mask);
}

static int make_domain(struct linux_msi *msi)
{
	const struct ontb_msi_template template = {
		.prefix = "NTB-",
		.token = ONTB_BUS_NTB,
		.nr_indices = msi->nr_irqs,
		.flow = ONTB_IRQ_EDGE,
		.chip = { .name = "NTB-MSI", .write_msg = write_msg, .set_affinity = set_affinity },
	};

	return ontb_msi_domain_new(ontb_ntb_msi(msi->ntb), SLOT, &template);
}

static int make_irq(struct linux_msi *msi, unsigned int index)
{
	struct own *own = &msi->owns[index];
	const struct ontb_irq_request request = { .handler = handle, .dev = own, .name = "linux-msi" };
	struct ontb_msi_map map;
	int ret;

	own->msi = msi;
	ret = ontb_msi_alloc_at(ontb_ntb_msi(msi->ntb), SLOT, index, NULL, own, &map);
	if (ret)
		return ret;
	own->virq = map.virq;
	ret = ontb_irq_request(ontb_host_irqs(msi->host), map.virq, &request);
	if (!ret)
		msi->nr_ready++;
	return ret;
}

/* The smallest aligned window that shows every message there can be. */
static int open_window(struct linux_msi *msi)
{
	uint64_t first, size, base, len;
	struct ontb_ntb_window limits;
	int ret = ontb_msi_message_range(ontb_ntb_msi(msi->ntb), SLOT, &first, &size);

	if (!ret)
		ret = ontb_ntb_window_limits(msi->ntb, 0, msi->window, &limits);
	if (ret)
		return ret;
	len = limits.size_align > 4096 ? limits.size_align : 4096;
	base = first & ~(len - 1);
	while (base + len < first + size) {
		len *= 2;
		base = first & ~(len - 1);
	}
	ret = ontb_ntb_window_open(msi->ntb, 0, msi->window, base, len);
	if (ret)
		return ret;
	ontb_lock(&msi->lock);
	msi->is_open = true;
	msi->first = base;
	ontb_unlock(&msi->lock);
	return 0;
}

static void tell(struct linux_msi *msi)
{
	for (unsigned int i = 0; i < msi->nr_irqs; i++) {
		struct ontb_msi_msg msg;

		ontb_lock(&msi->lock);
		msg = msi->owns[i].msg;
		ontb_unlock(&msi->lock);
		(void)ontb_ntb_spad_write(msi->ntb, 2 * i + 1, (uint32_t)(msg.addr - msi->first));
		(void)ontb_ntb_spad_write(msi->ntb, 2 * i + 2, msg.data);
	}
	(void)ontb_ntb_spad_write(msi->ntb, 0, msi->nr_irqs);
	(void)ontb_ntb_peer_db_set(msi->ntb, 0, LOOK);
}

static void forget_peer(struct linux_msi *msi)
{
	ontb_lock(&msi->lock);
	free(msi->theirs);
	msi->theirs = NULL;
	msi->nr_theirs = 0;
	ontb_unlock(&msi->lock);
}

/* One scratchpad has the number, two are for each. */
static unsigned int room_for_irqs(struct ontb_ntb *ntb)
{
	unsigned int nr_spads = ontb_ntb_spad_count(ntb);

	return nr_spads ? (nr_spads - 1) / 2 : 0;
}

/* A peer that tells more than scratchpads can hold is not believed. */
static void learn(struct linux_msi *msi)
{
	unsigned int max = room_for_irqs(msi->ntb);
	struct theirs *theirs;
	uint32_t nr;

	if (ontb_ntb_peer_spad_read(msi->ntb, 0, 0, &nr) || nr == NONE_YET)
		return;
	if (nr > max) {
		ontb_log_limited(&msi->limit, ONTB_LOG_NOTICE,
				 "%s: peer tells %" PRIu32 " interrupts, there is room for %u: ignored",
				 ontb_ntb_name(msi->ntb), nr, max);
		return;
	}
	theirs = calloc(nr + 1, sizeof(*theirs));
	if (!theirs)
		return;
	for (unsigned int i = 0; i < nr; i++) {
		(void)ontb_ntb_peer_spad_read(msi->ntb, 0, 2 * i + 1, &theirs[i].offset);
		(void)ontb_ntb_peer_spad_read(msi->ntb, 0, 2 * i + 2, &theirs[i].data);
	}
	forget_peer(msi);
	ontb_lock(&msi->lock);
	msi->theirs = theirs;
	msi->nr_theirs = nr;
	ontb_unlock(&msi->lock);
	ontb_log_limited(&msi->limit, ONTB_LOG_INFO, "%s: peer has %" PRIu32 " interrupts", ontb_ntb_name(msi->ntb),
			 nr);
}

static void link_event(void *client, unsigned int peer)
{
	struct linux_msi *msi = client;
	int ret;

	if (!ontb_ntb_link_is_up(msi->ntb, peer)) {
		forget_peer(msi);
		return;
	}
	ret = open_window(msi);
	if (ret) {
		ontb_log_limited(&msi->limit, ONTB_LOG_WARNING, "%s: no window onto the interrupt addresses: %s",
				 ontb_ntb_name(msi->ntb), ontb_strerror(ret));
		return;
	}
	tell(msi);
	learn(msi);
}

static void doorbell_event(void *client)
{
	struct linux_msi *msi = client;
	uint64_t bits = ontb_ntb_db_read(msi->ntb);

	(void)ontb_ntb_db_clear(msi->ntb, bits);
	if (bits & LOOK)
		learn(msi);
}

static const struct ontb_ntb_events events = { .link = link_event, .doorbell = doorbell_event };

static void undo_irqs(struct linux_msi *msi)
{
	while (msi->nr_ready) {
		struct own *own = &msi->owns[--msi->nr_ready];

		(void)ontb_irq_free(ontb_host_irqs(msi->host), own->virq, own);
	}
	(void)ontb_msi_domain_free(ontb_ntb_msi(msi->ntb), SLOT);
}

static int make_irqs(struct linux_msi *msi)
{
	int ret = make_domain(msi);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < msi->nr_irqs && !ret; i++)
		ret = make_irq(msi, i);
	if (ret)
		undo_irqs(msi);
	return ret;
}

static int connect_client(struct linux_msi *msi)
{
	int ret = ontb_ntb_spad_write(msi->ntb, 0, NONE_YET);

	if (!ret)
		ret = ontb_ntb_set_client(msi->ntb, &events, msi);
	if (ret)
		return ret;
	ret = ontb_ntb_db_unmask(msi->ntb, LOOK);
	if (!ret)
		ret = ontb_ntb_link_enable(msi->ntb);
	if (ret)
		(void)ontb_ntb_set_client(msi->ntb, NULL, NULL);
	return ret;
}

int linux_msi_new(struct ontb_host *host, unsigned int nr_irqs, int window, struct linux_msi **out)
{
	struct ontb_ntb *ntb = ontb_host_ntb(host, 0);
	struct linux_msi *msi;
	int ret;

	if (!ntb)
		return -ENOLINK;
	if (!nr_irqs || nr_irqs > room_for_irqs(ntb)) {
		ontb_log(ONTB_LOG_ERROR, "%s: %u interrupts: its scratchpads have room for 1 to %u", ontb_ntb_name(ntb),
			 nr_irqs, room_for_irqs(ntb));
		return -EINVAL;
	}
	if (window < 0)
		window = (int)ontb_ntb_nr_windows(ntb) - 1;
	if ((unsigned int)window >= ontb_ntb_nr_windows(ntb)) {
		ontb_log(ONTB_LOG_ERROR, "%s: there is no window %d", ontb_ntb_name(ntb), window);
		return -ERANGE;
	}
	msi = calloc(1, sizeof(*msi));
	if (!msi)
		return -ENOMEM;
	msi->owns = calloc(nr_irqs, sizeof(*msi->owns));
	if (!msi->owns) {
		ret = -ENOMEM;
		goto free_msi;
	}
	msi->host = host;
	msi->ntb = ntb;
	msi->nr_irqs = nr_irqs;
	msi->window = (unsigned int)window;
	ontb_lock_init(&msi->lock);
	ret = make_irqs(msi);
	if (ret)
		goto free_owns;
	ret = connect_client(msi);
	if (ret)
		goto undo_irqs;
	*out = msi;
	return 0;
undo_irqs:
	undo_irqs(msi);
free_owns:
	ontb_lock_fini(&msi->lock);
	free(msi->owns);
free_msi:
	free(msi);
	return ret;
}

void linux_msi_free(struct linux_msi *msi)
{
	if (!msi)
		return;
	ontb_ntb_link_disable(msi->ntb);
	(void)ontb_ntb_set_client(msi->ntb, NULL, NULL);
	if (msi->is_open)
		(void)ontb_ntb_window_close(msi->ntb, 0, msi->window);
	forget_peer(msi);
	undo_irqs(msi);
	ontb_lock_fini(&msi->lock);
	free(msi->owns);
	free(msi);
}

unsigned int linux_msi_nr_peer_irqs(struct linux_msi *msi)
{
	unsigned int nr;

	ontb_lock(&msi->lock);
	nr = msi->nr_theirs;
	ontb_unlock(&msi->lock);
	return nr;
}

int linux_msi_trigger(struct linux_msi *msi, unsigned int index)
{
	struct theirs theirs = { 0 };
	bool is_there;

	ontb_lock(&msi->lock);
	is_there = index < msi->nr_theirs;
	if (is_there)
		theirs = msi->theirs[index];
	ontb_unlock(&msi->lock);
	if (!is_there)
		return -ENOENT;
	return ontb_ntb_peer_write32(msi->ntb, 0, msi->window, theirs.offset, theirs.data);
}
