// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The shared page, the scratchpads in it, and the link.
 *
 * The link is a matter of two drivers: each says in its page that it wants it, and sends a message when the other one should
 * look. It is up while both want it and each can read the other's page. Whoever finds a change tells the other one to look.
 *
 * Two things are ours. A client must not miss that the link was down, however short: it loses all it knew of the peer. So when
 * the link goes down, the client hears of it before it may come up again. And each side counts its sessions in a word that
 * Linux leaves zero: one whose link was interrupted without the other one's knowledge counts on, and the other one follows.
 * It follows without counting itself, so that is the end of it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "ntb/hw/switchtec.h"

/* What is to be done about the link. */
enum verdict {
	STAYS,
	GOES_UP,
	GOES_DOWN,
	BOUNCES,
};

/* A peer that changes its mind all the time is looked at again later. */
#define MAX_BOUNCES 3

static uint32_t *page_word(const struct ontb_swtec *sw, uint32_t offset)
{
	return (uint32_t *)(void *)((char *)sw->page.ptr + offset);
}

static void put_word(const struct ontb_swtec *sw, uint32_t offset, uint32_t value)
{
	__atomic_store_n(page_word(sw, offset), htole32(value), __ATOMIC_RELEASE);
}

static void put_size(const struct ontb_swtec *sw, unsigned int idx, uint64_t size)
{
	put_word(sw, ONTB_SWTEC_PAGE_SIZES(idx), (uint32_t)size);
	put_word(sw, ONTB_SWTEC_PAGE_SIZES(idx) + 4, (uint32_t)(size >> 32));
}

/* The magic comes last: a page without it says nothing. */
void ontb_swtec_init_page(struct ontb_swtec *sw)
{
	unsigned int nr = sw->own.nr_direct + sw->own.nr_luts;

	for (unsigned int i = 0; i < nr && i < ONTB_SWTEC_MAX_WINDOWS; i++)
		put_size(sw, i, i < sw->own.nr_direct ? sw->outbound[i].size : ONTB_SWTEC_LUT_SIZE);
	put_word(sw, ONTB_SWTEC_PAGE_PART, sw->self);
	put_word(sw, ONTB_SWTEC_PAGE_MAGIC, ONTB_SWTEC_MAGIC);
}

/* The page is behind the first entry of the look-up table. */
uint64_t ontb_swtec_peer_page_read64(const struct ontb_swtec *sw, uint32_t offset)
{
	return ontb_pci_bar_read64(sw->dev, sw->own.direct_bar[0], offset);
}

/* An access that no window answers is an error of the bus, and some hosts report those: so ask the registers first. */
uint64_t ontb_swtec_peer_state(const struct ontb_swtec *sw)
{
	uint64_t entry = ontb_swtec_read64(sw, ONTB_SWTEC_CTRL(sw->self) + ONTB_SWTEC_CTRL_LUT(0));

	return entry & ONTB_SWTEC_LUT_ENABLED ? ontb_swtec_peer_page_read64(sw, ONTB_SWTEC_PAGE_MAGIC) : UINT64_MAX;
}

bool ontb_swtec_peer_may_have_link(const struct ontb_swtec *sw)
{
	uint64_t state = ontb_swtec_peer_state(sw);

	return (uint32_t)state != ONTB_SWTEC_MAGIC || state >> 32;
}

static uint32_t peer_page_read32(const struct ontb_swtec *sw, uint32_t offset)
{
	return ontb_pci_bar_read32(sw->dev, sw->own.direct_bar[0], offset);
}

static uint32_t link_state_header(const struct ontb_swtec *sw)
{
	return ONTB_SWTEC_PFF(sw->peer_pff) + ONTB_SWTEC_PFF_LINK_STATE;
}

void ontb_swtec_init_events(struct ontb_swtec *sw)
{
	sw->link_events = ONTB_SWTEC_EV_COUNT(ontb_swtec_read32(sw, link_state_header(sw)));
}

void ontb_swtec_enable_events(struct ontb_swtec *sw)
{
	ontb_swtec_write32(sw, link_state_header(sw), ONTB_SWTEC_EV_CLEAR | ONTB_SWTEC_EV_IRQ);
}

/* Whether the peer's endpoint has lost its host since the last look, even if it has one again. */
static bool has_lost_host(struct ontb_swtec *sw)
{
	unsigned int count = ONTB_SWTEC_EV_COUNT(ontb_swtec_read32(sw, link_state_header(sw)));
	bool is_news = count != sw->link_events;

	sw->link_events = count;
	return is_news;
}

static void count_session(struct ontb_swtec *sw) ONTB_MUST_HOLD(&sw->link_lock)
{
	/* 0 is what a peer that does not count has. */
	if (!++sw->session)
		sw->session = 1;
	put_word(sw, ONTB_SWTEC_PAGE_SESSION, sw->session);
}

static enum verdict judge(struct ontb_swtec *sw) ONTB_MUST_HOLD(&sw->link_lock)
{
	bool is_up = atomic_load_explicit(&sw->is_up, memory_order_relaxed);
	uint64_t state = ontb_swtec_peer_state(sw);
	bool is_there = (uint32_t)state == ONTB_SWTEC_MAGIC;
	uint32_t session;

	if (!atomic_load_explicit(&sw->is_enabled, memory_order_relaxed))
		return STAYS;
	if (!is_there || !(state >> 32)) {
		if (is_up && !is_there)
			count_session(sw);
		return is_up ? GOES_DOWN : STAYS;
	}
	session = peer_page_read32(sw, ONTB_SWTEC_PAGE_SESSION);
	if (is_up && session == sw->peer_session)
		return STAYS;
	sw->peer_session = session;
	return is_up ? BOUNCES : GOES_UP;
}

static void log_link(struct ontb_swtec *sw, const char *what)
{
	ontb_log_limited(&sw->link_limit, ONTB_LOG_INFO, "%s: link to partition %u %s", ontb_ntb_name(sw->ntb),
			 sw->peer, what);
}

/* On return the client knows that the link was down. */
static void take_down(struct ontb_swtec *sw, const char *why)
{
	bool was_up;

	ontb_lock(&sw->link_lock);
	was_up = atomic_exchange(&sw->is_up, false);
	ontb_unlock(&sw->link_lock);
	if (!was_up)
		return;
	log_link(sw, why);
	ontb_ntb_link_event(sw->ntb, 0);
	ontb_ntb_flush_events(sw->ntb);
}

static enum verdict look(struct ontb_swtec *sw)
{
	enum verdict verdict;

	ontb_lock(&sw->link_lock);
	verdict = judge(sw);
	if (verdict == GOES_UP)
		atomic_store(&sw->is_up, true);
	ontb_unlock(&sw->link_lock);
	return verdict;
}

/* Follow the pages until nothing changes. */
static void follow(struct ontb_swtec *sw)
{
	for (unsigned int i = 0; i < MAX_BOUNCES; i++) {
		switch (look(sw)) {
		case STAYS:
			return;
		case GOES_UP:
			log_link(sw, "is up");
			ontb_ntb_link_event(sw->ntb, 0);
			ontb_swtec_send(sw, 0, ONTB_SWTEC_MSG_CHECK);
			return;
		case GOES_DOWN:
			take_down(sw, "is down");
			ontb_swtec_send(sw, 0, ONTB_SWTEC_MSG_CHECK);
			return;
		case BOUNCES:
			take_down(sw, "was down");
			break;
		}
	}
	ontb_worker_kick(sw->worker);
}

void ontb_swtec_look_at_link(void *arg)
{
	struct ontb_swtec *sw = arg;
	bool is_forced = atomic_exchange(&sw->is_forced, false);

	if (has_lost_host(sw))
		take_down(sw, "is down: its host is gone");
	if (is_forced) {
		take_down(sw, "is down: its driver was started anew");
		/* Who starts from nothing may have lost its windows too. */
		(void)ontb_swtec_show_page(sw);
	}
	follow(sw);
}

int ontb_swtec_link_enable(struct ontb_ntb *ntb)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	bool was_enabled;

	ontb_lock(&sw->link_lock);
	was_enabled = atomic_exchange(&sw->is_enabled, true);
	if (!was_enabled) {
		count_session(sw);
		put_word(sw, ONTB_SWTEC_PAGE_LINK, 1);
	}
	ontb_unlock(&sw->link_lock);
	if (was_enabled)
		return 0;
	ontb_swtec_send(sw, 0, ONTB_SWTEC_MSG_UP);
	ontb_worker_kick(sw->worker);
	return 0;
}

void ontb_swtec_link_disable(struct ontb_ntb *ntb)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	bool was_enabled, was_up;

	ontb_lock(&sw->link_lock);
	was_enabled = atomic_exchange(&sw->is_enabled, false);
	was_up = atomic_exchange(&sw->is_up, false);
	put_word(sw, ONTB_SWTEC_PAGE_LINK, 0);
	ontb_unlock(&sw->link_lock);
	if (was_enabled)
		ontb_swtec_send(sw, 0, ONTB_SWTEC_MSG_DOWN);
	if (was_up)
		ontb_ntb_link_event(ntb, 0);
}

bool ontb_swtec_link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	(void)peer;
	return atomic_load_explicit(&ontb_swtec_of(ntb)->is_up, memory_order_acquire);
}

unsigned int ontb_swtec_spad_count(struct ontb_ntb *ntb)
{
	(void)ntb;
	return ONTB_SWTEC_NR_SPADS;
}

uint32_t ontb_swtec_spad_read(struct ontb_ntb *ntb, unsigned int idx)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);

	return le32toh(__atomic_load_n(page_word(sw, ONTB_SWTEC_PAGE_SPAD(idx)), __ATOMIC_ACQUIRE));
}

void ontb_swtec_spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value)
{
	put_word(ontb_swtec_of(ntb), ONTB_SWTEC_PAGE_SPAD(idx), value);
}

uint32_t ontb_swtec_peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx)
{
	(void)peer;
	return peer_page_read32(ontb_swtec_of(ntb), ONTB_SWTEC_PAGE_SPAD(idx));
}

void ontb_swtec_peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);

	(void)peer;
	ontb_pci_bar_write32(sw->dev, sw->own.direct_bar[0], ONTB_SWTEC_PAGE_SPAD(idx), value);
}

void *ontb_swtec_page(struct ontb_ntb *ntb, unsigned int peer, size_t *size)
{
	(void)peer;
	*size = ONTB_SWTEC_PAGE_SIZE - ONTB_SWTEC_PAGE_CLIENT;
	return (char *)ontb_swtec_of(ntb)->page.ptr + ONTB_SWTEC_PAGE_CLIENT;
}

void ontb_swtec_peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);

	(void)peer;
	ontb_pci_bar_copy_to(sw->dev, sw->own.direct_bar[0], ONTB_SWTEC_PAGE_CLIENT + offset, buf, len);
}
