// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The liar: a host that follows the protocol, and besides writes anything into the page that it shares with host 0 and into the window;
 * raises what it may as often as it can; and lets its link flap. Host 0 has the guard of that bridge on: bare vectors would be open to
 * whoever has the window; and remapping tells functions by requester ids, of which a bridge has several, so that an entry for one lets
 * in its neighbours on the bus.
 */
#include "base/random.h"
#include "tool/soak.h"

#define NR_BURST 64U

static uint64_t below(struct soak_host *host, uint64_t limit)
{
	return ontb_random_below(&host->random, limit);
}

/* Random words, or some of what the peer has said, which is closer to the truth. */
static void write_page(struct soak_side *side)
{
	struct soak_host *host = side->host;
	uint64_t words[8];
	size_t size, len = 8 * (1 + below(host, ONTB_ARRAY_SIZE(words))), from;
	const uint64_t *page = ontb_ntb_page(side->ntb, 0, &size);

	if (!page || size < sizeof(words))
		return;
	from = below(host, size / 8 - ONTB_ARRAY_SIZE(words));
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(words); i++) {
		words[i] = below(host, 2) ? ontb_random_next(&host->random)
					  : __atomic_load_n(&page[from + i], __ATOMIC_RELAXED);
		if (!below(host, 4))
			words[i] ^= 1ULL << below(host, 64);
	}
	(void)ontb_ntb_peer_page_write(side->ntb, 0, 8 * below(host, (size - len) / 8 + 1), words, len);
}

static void write_window(struct soak_side *side)
{
	unsigned int nr = ontb_ntb_nr_windows(side->ntb);
	unsigned int window =
		(unsigned int)below(side->host, 2) ? nr - 1 : (unsigned int)below(side->host, nr < 4 ? nr : 4);
	uint64_t size = ontb_ntb_peer_window_size(side->ntb, 0, window);

	if (size < 4)
		return;
	for (unsigned int i = 0; i < NR_BURST; i++) {
		uint64_t offset = 4 * below(side->host, i % 2 && size > 8192 ? 2048 : size / 4);

		(void)ontb_ntb_peer_write32(side->ntb, 0, window, offset, (uint32_t)below(side->host, 1ULL << i % 33));
	}
}

static void flood(struct soak_side *side)
{
	for (unsigned int i = 0; i < 4 * NR_BURST; i++)
		(void)ontb_ntb_irq_trigger(side->irqs, 0, (unsigned int)below(side->host, SOAK_NR_LIES));
}

void soak_lie(struct soak_host *host)
{
	struct soak_side *side = &host->sides[0];
	uint64_t kind = below(host, 200);

	soak_count(&host->soak->counts.lies);
	if (kind < 80) {
		flood(side);
	} else if (kind < 140) {
		write_window(side);
	} else if (kind < 198) {
		/* Whoever spoils the channel is not talked to any more; so not all the time. */
		if (!below(host, 8))
			write_page(side);
	} else {
		ontb_ntb_link_disable(side->ntb);
		soak_pause(host->soak, 1000000);
		if (ontb_ntb_link_enable(side->ntb))
			soak_failed(host, "enabling a link", -1);
	}
}
