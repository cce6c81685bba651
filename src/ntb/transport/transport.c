// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A transport: memory for the rings, the window onto it, and an interrupt per queue pair.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/ntb_transport.h>
#include <openntb/pages.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "ntb/transport/qp.h"

#define MIN_RING (4 * ONTB_KIB)
#define MAX_RING (1024 * ONTB_MIB)

/* How long a peer that confirms nothing can hold up the end; its index stays in quarantine then. */
#define SETTLE_NS (5 * ONTB_NS_PER_S)

/**
 * struct qp_irq - a queue pair and what wakes who waits for it
 * @qp:       Queue pair.
 * @virq:     Own interrupt, 0 without interrupts. Constant.
 * @index:    Its index. Constant.
 * @woken:    Posted by the interrupt.
 * @notified: Interrupts that came.
 * @notifies: Interrupts raised at the peer.
 */
struct qp_irq {
	struct ontb_qp qp;
	unsigned int virq;
	unsigned int index;
	sem_t woken;
	_Atomic uint64_t notified;
	_Atomic uint64_t notifies;
};

/**
 * struct ontb_ntb_transport - a transport
 * @config:       Constant.
 * @memory:       What the inbound window shows. Constant.
 * @is_connected: The peer's rings were seen.
 * @nr_ready:     Queue pairs whose interrupt is set up. While it is made and taken apart.
 * @qps:          Queue pairs. Constant pointer.
 */
struct ontb_ntb_transport {
	struct ontb_ntb_transport_config config;
	struct ontb_page_run memory;
	_Atomic bool is_connected;
	unsigned int nr_ready;
	struct qp_irq *qps;
};

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct qp_irq *qp = dev;

	(void)virq;
	atomic_fetch_add_explicit(&qp->notified, 1, memory_order_relaxed);
	(void)sem_post(&qp->woken);
	return ONTB_IRQ_HANDLED;
}

static struct ontb_irq_system *system_of(const struct ontb_ntb_transport *transport)
{
	return ontb_msi_dev_system(ontb_ntb_msi(transport->config.ntb));
}

static int setup_irq(struct ontb_ntb_transport *transport, unsigned int idx)
{
	const struct ontb_ntb_transport_config *config = &transport->config;
	struct qp_irq *qp = &transport->qps[idx];
	char name[ONTB_IRQ_NAME];
	struct ontb_irq_request request = { .handler = handle, .dev = qp, .name = name };
	struct ontb_msi_map map;
	int ret;

	(void)snprintf(name, sizeof(name), "ntb_transport-qp%u", idx);
	ret = ontb_ntb_irq_alloc(config->irqs, config->first_irq + idx, NULL, &map);
	if (ret)
		return ret;
	ret = ontb_irq_request(system_of(transport), map.virq, &request);
	if (ret)
		goto free_irq;
	ret = ontb_ntb_irq_grant(config->irqs, map.index, config->peer);
	if (ret)
		goto free_handler;
	qp->virq = map.virq;
	qp->index = map.index;
	return 0;
free_handler:
	(void)ontb_irq_free(system_of(transport), map.virq, qp);
free_irq:
	(void)ontb_ntb_irq_free(config->irqs, map.index);
	(void)ontb_ntb_irq_settle(config->irqs, map.index, SETTLE_NS);
	return ret;
}

/*
 * The handler may go first: what still comes finds no handler and is counted. All are taken back before one is waited for, so
 * that a peer that confirms nothing holds this up once and not per queue pair.
 */
static void undo_irqs(struct ontb_ntb_transport *transport)
{
	uint64_t end, now;

	for (unsigned int i = 0; i < transport->nr_ready; i++) {
		struct qp_irq *qp = &transport->qps[i];

		if (!qp->virq)
			continue;
		(void)ontb_irq_free(system_of(transport), qp->virq, qp);
		(void)ontb_ntb_irq_free(transport->config.irqs, qp->index);
	}
	end = ontb_clock_ns() + SETTLE_NS;
	while (transport->nr_ready) {
		struct qp_irq *qp = &transport->qps[--transport->nr_ready];

		now = ontb_clock_ns();
		if (qp->virq)
			(void)ontb_ntb_irq_settle(transport->config.irqs, qp->index, now < end ? end - now : 0);
		(void)sem_destroy(&qp->woken);
	}
}

static int setup_irqs(struct ontb_ntb_transport *transport)
{
	for (unsigned int i = 0; i < transport->config.nr_qps; i++) {
		int ret;

		(void)sem_init(&transport->qps[i].woken, 0, 0);
		transport->nr_ready++;
		ret = transport->config.irqs ? setup_irq(transport, i) : 0;
		if (ret) {
			undo_irqs(transport);
			return ret;
		}
	}
	return 0;
}

static bool config_is_good(const struct ontb_ntb_transport_config *config)
{
	return config->nr_qps && config->nr_qps <= ONTB_NTB_MAX_QPS && ontb_is_power_of_two(config->ring_size) &&
	       config->ring_size >= MIN_RING && config->ring_size <= MAX_RING;
}

/* Size of the window and the alignment of what it shows. */
static int window_size(const struct ontb_ntb_transport_config *config, uint64_t *size, uint64_t *align)
{
	uint64_t want = ontb_qp_window_size(config->nr_qps, config->ring_size);
	struct ontb_ntb_window limits;
	int ret = ontb_ntb_window_limits(config->ntb, config->peer, config->window, &limits);

	if (ret)
		return ret;
	*size = (want + limits.size_align - 1) & ~(limits.size_align - 1);
	*align = limits.addr_align;
	if (!*align) {
		*align = ONTB_PAGE_SIZE;
		while (*align < *size)
			*align *= 2;
		*size = *align;
	}
	if (*align < ONTB_PAGE_SIZE)
		*align = ONTB_PAGE_SIZE;
	if (*size <= limits.size_max)
		return 0;
	ontb_log(ONTB_LOG_NOTICE, "%s: transport: %u rings need a window of %llu bytes, window %u has %llu",
		 ontb_ntb_name(config->ntb), config->nr_qps, (unsigned long long)*size, config->window,
		 (unsigned long long)limits.size_max);
	return -EINVAL;
}

static void write_head(struct ontb_ntb_transport *transport)
{
	struct ontb_qp_head *head = transport->memory.ptr;

	*head = (struct ontb_qp_head){
		.magic = htole32(ONTB_QP_MAGIC),
		.version = htole32(ONTB_QP_VERSION),
		.nr_qps = htole32(transport->config.nr_qps),
		.ring_size = htole64(transport->config.ring_size),
	};
}

static int open_window(struct ontb_ntb_transport *transport)
{
	const struct ontb_ntb_transport_config *config = &transport->config;
	uint64_t size, align;
	int ret = window_size(config, &size, &align);

	if (ret)
		return ret;
	ret = ontb_pages_alloc(ontb_ntb_pages(config->ntb), size, align, &transport->memory);
	if (ret)
		return ret;
	write_head(transport);
	for (unsigned int i = 0; i < config->nr_qps; i++)
		ontb_qp_init(&transport->qps[i].qp, config->ntb, config->peer, config->window, i, config->ring_size,
			     transport->memory.ptr);
	ret = ontb_ntb_window_open(config->ntb, config->peer, config->window, transport->memory.addr, size);
	if (ret)
		ontb_pages_release(ontb_ntb_pages(config->ntb), &transport->memory);
	return ret;
}

static void close_window(struct ontb_ntb_transport *transport)
{
	const struct ontb_ntb_transport_config *config = &transport->config;
	int ret = ontb_ntb_window_close(config->ntb, config->peer, config->window);

	/* A function that is gone took its windows along. */
	if (!ret || ret == -EFAULT) {
		ontb_pages_release(ontb_ntb_pages(config->ntb), &transport->memory);
		ontb_ntb_window_release(config->ntb, config->peer, config->window);
		return;
	}
	/* The peer may still reach it: memory that leaks is better than memory that a peer writes to. */
	ontb_log(ONTB_LOG_ERROR, "%s: transport: window %u cannot be closed (%d): its memory is not used again",
		 ontb_ntb_name(config->ntb), config->window, ret);
}

int ontb_ntb_transport_new(const struct ontb_ntb_transport_config *config, struct ontb_ntb_transport **out)
{
	struct ontb_ntb_transport *transport;
	int ret;

	if (!config_is_good(config))
		return -EINVAL;
	if (!ontb_ntb_link_is_up(config->ntb, config->peer))
		return -ENOLINK;
	transport = calloc(1, sizeof(*transport));
	if (!transport)
		return -ENOMEM;
	transport->config = *config;
	transport->qps = calloc(config->nr_qps, sizeof(*transport->qps));
	if (!transport->qps) {
		ret = -ENOMEM;
		goto free_transport;
	}
	ret = ontb_ntb_window_claim(config->ntb, config->peer, config->window);
	if (ret)
		goto free_qps;
	ret = open_window(transport);
	if (ret)
		goto release_window;
	ret = setup_irqs(transport);
	if (ret)
		goto close_window;
	*out = transport;
	return 0;

close_window:
	close_window(transport);
	goto free_qps;
release_window:
	ontb_ntb_window_release(config->ntb, config->peer, config->window);
free_qps:
	free(transport->qps);
free_transport:
	free(transport);
	return ret;
}

void ontb_ntb_transport_free(struct ontb_ntb_transport *transport)
{
	if (!transport)
		return;
	undo_irqs(transport);
	close_window(transport);
	free(transport->qps);
	free(transport);
}

int ontb_ntb_transport_connect(struct ontb_ntb_transport *transport)
{
	const struct ontb_ntb_transport_config *config = &transport->config;
	struct ontb_qp_head head;
	int ret;

	if (!ontb_ntb_link_is_up(config->ntb, config->peer))
		return -ENOLINK;
	if (atomic_load(&transport->is_connected))
		return 0;
	for (unsigned int i = 0; config->irqs && i < config->nr_qps; i++) {
		if (!ontb_ntb_irq_is_granted(config->irqs, config->peer, config->first_irq + i))
			return -EAGAIN;
	}
	ret = ontb_ntb_peer_read(config->ntb, config->peer, config->window, 0, &head, sizeof(head));
	if (ret)
		return ret == -ERANGE ? -EAGAIN : ret;
	/* All ones is what a closed window reads as. */
	if (le32toh(head.magic) != ONTB_QP_MAGIC)
		return -EAGAIN;
	if (le32toh(head.version) != ONTB_QP_VERSION || le32toh(head.nr_qps) != config->nr_qps ||
	    le64toh(head.ring_size) != config->ring_size) {
		ontb_log(ONTB_LOG_WARNING,
			 "%s: transport: peer %u has version %u with %u rings of %llu bytes, this host %u with %u of "
			 "%llu",
			 ontb_ntb_name(config->ntb), config->peer, le32toh(head.version), le32toh(head.nr_qps),
			 (unsigned long long)le64toh(head.ring_size), ONTB_QP_VERSION, config->nr_qps,
			 (unsigned long long)config->ring_size);
		return -EPROTO;
	}
	atomic_store(&transport->is_connected, true);
	return 0;
}

int ontb_ntb_qp_send(struct ontb_ntb_transport *transport, unsigned int qp, const void *buf, size_t len)
{
	if (qp >= transport->config.nr_qps)
		return -ERANGE;
	if (!atomic_load_explicit(&transport->is_connected, memory_order_relaxed))
		return -ENOLINK;
	return ontb_qp_put(&transport->qps[qp].qp, buf, len);
}

int ontb_ntb_qp_kick(struct ontb_ntb_transport *transport, unsigned int qp)
{
	const struct ontb_ntb_transport_config *config = &transport->config;
	int ret;

	if (qp >= config->nr_qps)
		return -ERANGE;
	if (!config->irqs)
		return 0;
	ret = ontb_ntb_irq_trigger(config->irqs, config->peer, config->first_irq + qp);
	if (!ret)
		atomic_fetch_add_explicit(&transport->qps[qp].notifies, 1, memory_order_relaxed);
	return ret;
}

int64_t ontb_ntb_qp_recv(struct ontb_ntb_transport *transport, unsigned int qp, void *buf, size_t size)
{
	bool notify = false;
	int64_t ret;

	if (qp >= transport->config.nr_qps)
		return -ERANGE;
	ret = ontb_qp_take(&transport->qps[qp].qp, buf, size, &notify);
	if (notify)
		(void)ontb_ntb_qp_kick(transport, qp);
	return ret;
}

int ontb_ntb_qp_wait(struct ontb_ntb_transport *transport, unsigned int qp, uint64_t timeout_ns)
{
	uint64_t end = ontb_clock_ns() + timeout_ns;
	struct timespec deadline = { .tv_sec = (time_t)(end / ONTB_NS_PER_S), .tv_nsec = (long)(end % ONTB_NS_PER_S) };
	sem_t *woken;
	int ret;

	if (qp >= transport->config.nr_qps)
		return -ERANGE;
	if (!transport->config.irqs)
		return -EOPNOTSUPP;
	woken = &transport->qps[qp].woken;
	do {
		ret = sem_clockwait(woken, CLOCK_MONOTONIC, &deadline);
	} while (ret && errno == EINTR);
	if (ret)
		return -ETIMEDOUT;
	/* Everything that was said so far is one wake-up. */
	while (!sem_trywait(woken))
		;
	return 0;
}

int ontb_ntb_qp_status(const struct ontb_ntb_transport *transport, unsigned int qp, struct ontb_ntb_qp_status *status)
{
	const struct qp_irq *one;

	if (qp >= transport->config.nr_qps)
		return -ERANGE;
	one = &transport->qps[qp];
	*status = (struct ontb_ntb_qp_status){
		.tx_frames = atomic_load(&one->qp.counts.tx_frames),
		.tx_bytes = atomic_load(&one->qp.counts.tx_bytes),
		.rx_frames = atomic_load(&one->qp.counts.rx_frames),
		.rx_bytes = atomic_load(&one->qp.counts.rx_bytes),
		.notified = atomic_load(&one->notified),
		.notifies = atomic_load(&one->notifies),
		.is_broken = atomic_load(&one->qp.is_broken),
	};
	return 0;
}
