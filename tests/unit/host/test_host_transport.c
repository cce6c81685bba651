// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The transport between two booted hosts: frames arrive whole and in order, and a lying peer harms only its own queue pair.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/ntb_transport.h>

#include "base/bytes.h"
#include "base/log.h"
#include "ntb/transport/qp.h"
#include "pair_rig.h"

#define TOPOLOGY "host a cpus=2 ram=64M remap=on\nhost b cpus=2 ram=64M\nbridge switchtec a b vectors=4\n"
#define RING	 (16 * ONTB_KIB)
#define NR_QPS	 2U

struct rig {
	struct pair pair;
	struct ontb_ntb_transport *transports[PAIR_NR_HOSTS];
};

static struct ontb_ntb_transport_config config_of(struct pair_host *host, bool has_irqs)
{
	return (struct ontb_ntb_transport_config){
		.ntb = host->ntb, .irqs = has_irqs ? host->irqs : NULL, .nr_qps = NR_QPS, .ring_size = RING
	};
}

static bool is_connected(void *arg)
{
	return !ontb_ntb_transport_connect(arg);
}

static bool has_link(void *arg)
{
	struct pair_host *host = arg;

	return ontb_ntb_link_is_up(host->ntb, 0);
}

static bool can_make(void *arg)
{
	struct rig *rig = arg;

	/* Until the peer has said hello nothing can be granted. */
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++) {
		struct ontb_ntb_transport_config config = config_of(&rig->pair.hosts[i], true);

		if (!rig->transports[i] && ontb_ntb_transport_new(&config, &rig->transports[i]))
			return false;
	}
	return true;
}

static void open_rig(struct rig *rig, bool has_irqs)
{
	memset(rig, 0, sizeof(*rig));
	pair_open(&rig->pair, TOPOLOGY);
	pair_make_irqs(&rig->pair, 16, NULL);
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		pair_wait(has_link, &rig->pair.hosts[i]);
	if (has_irqs) {
		pair_wait(can_make, rig);
	} else {
		for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++) {
			struct ontb_ntb_transport_config config = config_of(&rig->pair.hosts[i], false);

			assert_int_equal(ontb_ntb_transport_new(&config, &rig->transports[i]), 0);
		}
	}
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		pair_wait(is_connected, rig->transports[i]);
}

static void close_rig(struct rig *rig)
{
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		ontb_ntb_transport_free(rig->transports[i]);
	pair_close(&rig->pair);
}

static void fill(uint8_t *buf, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = (uint8_t)(seed >> 24);
	}
}

/* Lengths of every kind: 1, around the padding, the longest. */
static size_t length_of(unsigned int n)
{
	static const size_t lengths[] = { 1, 15, 16, 17, 100, 1000, RING / 4 - 1, RING / 4 };

	return lengths[n % ONTB_ARRAY_SIZE(lengths)];
}

static int64_t receive(struct rig *rig, unsigned int host, unsigned int qp, uint8_t *buf, bool has_irqs)
{
	uint64_t end = ontb_clock_ns() + PAIR_DEADLINE_NS;
	int64_t len;

	while ((len = ontb_ntb_qp_recv(rig->transports[host], qp, buf, RING)) == -EAGAIN) {
		assert_true(ontb_clock_ns() < end);
		if (has_irqs)
			assert_int_equal(ontb_ntb_qp_wait(rig->transports[host], qp, PAIR_DEADLINE_NS), 0);
	}
	return len;
}

struct sender {
	struct rig *rig;
	unsigned int host;
	unsigned int qp;
	unsigned int nr;
	bool has_irqs;
	int ret;
};

static void *send_many(void *arg)
{
	struct sender *sender = arg;
	struct ontb_ntb_transport *transport = sender->rig->transports[sender->host];
	uint8_t buf[RING];

	for (unsigned int n = 0; n < sender->nr && !sender->ret; n++) {
		fill(buf, length_of(n), n);
		while ((sender->ret = ontb_ntb_qp_send(transport, sender->qp, buf, length_of(n))) == -EAGAIN) {
			/* Woken each time the receiver has made room: no wait is the last one. */
			if (sender->has_irqs && ontb_ntb_qp_wait(transport, sender->qp, PAIR_DEADLINE_NS))
				return NULL;
		}
		if (!sender->ret)
			sender->ret = ontb_ntb_qp_kick(transport, sender->qp);
	}
	return NULL;
}

static void frames_arrive(bool has_irqs)
{
	static const unsigned int nr = 3000;
	struct sender senders[PAIR_NR_HOSTS][NR_QPS];
	pthread_t threads[PAIR_NR_HOSTS][NR_QPS];
	struct ontb_ntb_qp_status status;
	struct rig rig;

	open_rig(&rig, has_irqs);
	for (unsigned int h = 0; h < PAIR_NR_HOSTS; h++) {
		for (unsigned int q = 0; q < NR_QPS; q++) {
			/* A queue pair goes one way here: who waits for room and who waits for frames are different threads. */
			senders[h][q] = (struct sender){
				.rig = &rig, .host = h, .qp = q, .nr = q == h ? nr : 0, .has_irqs = has_irqs
			};
			assert_int_equal(pthread_create(&threads[h][q], NULL, send_many, &senders[h][q]), 0);
		}
	}
	for (unsigned int n = 0; n < nr; n++) {
		for (unsigned int h = 0; h < PAIR_NR_HOSTS; h++) {
			uint8_t got[RING], want[RING];

			fill(want, length_of(n), n);
			assert_int_equal(receive(&rig, h, h ^ 1, got, has_irqs), length_of(n));
			assert_memory_equal(got, want, length_of(n));
		}
	}
	for (unsigned int h = 0; h < PAIR_NR_HOSTS; h++) {
		for (unsigned int q = 0; q < NR_QPS; q++) {
			assert_int_equal(pthread_join(threads[h][q], NULL), 0);
			assert_int_equal(senders[h][q].ret, 0);
		}
	}
	assert_int_equal(ontb_ntb_qp_status(rig.transports[0], 0, &status), 0);
	assert_int_equal(status.tx_frames, nr);
	assert_int_equal(status.notifies > 0, has_irqs);
	assert_int_equal(ontb_ntb_qp_recv(rig.transports[0], 0, (uint8_t[16]){ 0 }, 16), -EAGAIN);
	close_rig(&rig);
}

static void frames_arrive_whole_and_in_order_with_interrupts(void **state)
{
	(void)state;
	frames_arrive(true);
}

static void frames_arrive_whole_and_in_order_when_polled(void **state)
{
	(void)state;
	frames_arrive(false);
}

static void transport_can_be_made_again_at_once(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig, true);
	for (unsigned int n = 0; n < 20; n++) {
		struct ontb_ntb_transport_config config = config_of(&rig.pair.hosts[n % 2], true);

		ontb_ntb_transport_free(rig.transports[n % 2]);
		assert_int_equal(ontb_ntb_transport_new(&config, &rig.transports[n % 2]), 0);
	}
	close_rig(&rig);
}

static void arguments_are_checked(void **state)
{
	struct ontb_ntb_transport_config config;
	struct ontb_ntb_transport *other = NULL;
	uint8_t buf[RING] = { 0 };
	struct rig rig;

	(void)state;
	open_rig(&rig, false);
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], NR_QPS, buf, 1), -ERANGE);
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 0, buf, 0), -EMSGSIZE);
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 0, buf, RING / 4 + 1), -EMSGSIZE);
	assert_int_equal(ontb_ntb_qp_recv(rig.transports[0], NR_QPS, buf, 1), -ERANGE);
	assert_int_equal(ontb_ntb_qp_wait(rig.transports[0], 0, 0), -EOPNOTSUPP);
	assert_int_equal(ontb_ntb_qp_kick(rig.transports[0], 0), 0);
	/* A frame that does not fit stays. */
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 1, buf, 100), 0);
	assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 1, buf, 99), -EMSGSIZE);
	assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 1, buf, 100), 100);
	config = config_of(&rig.pair.hosts[0], false);
	config.ring_size = RING + 1;
	assert_int_equal(ontb_ntb_transport_new(&config, &other), -EINVAL);
	config.ring_size = 1024;
	assert_int_equal(ontb_ntb_transport_new(&config, &other), -EINVAL);
	config.ring_size = RING;
	assert_int_equal(ontb_ntb_transport_new(&config, &other), -EBUSY); /* the window is in use */
	config.window = 1;
	config.ring_size = 1024 * ONTB_MIB;
	assert_int_equal(ontb_ntb_transport_new(&config, &other), -EINVAL);
	config.ring_size = RING;
	config.nr_qps = 0;
	assert_int_equal(ontb_ntb_transport_new(&config, &other), -EINVAL);
	assert_null(other);
	close_rig(&rig);
}

static void full_ring_says_so_and_goes_on(void **state)
{
	uint8_t buf[RING / 8] = { 1 };
	unsigned int nr = 0;
	struct rig rig;

	(void)state;
	open_rig(&rig, false);
	while (!ontb_ntb_qp_send(rig.transports[0], 0, buf, sizeof(buf)))
		nr++;
	assert_in_range(nr, 6, 7);
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 0, buf, sizeof(buf)), -EAGAIN);
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 0, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 0, buf, sizeof(buf)), 0);
	close_rig(&rig);
}

static void quiet(void *arg, enum ontb_log_level level, const char *line)
{
	(void)level;
	(void)line;
	atomic_fetch_add((_Atomic unsigned int *)arg, 1);
}

/* What a peer may store into a counter or a frame that this host believes. */
static void lying_peer_stops_only_its_own_queue_pair(void **state)
{
	static const struct {
		uint64_t produced;
		uint32_t len;
		uint64_t number;
	} rows[] = {
		{ RING + 1, 1, 0 },	 /* more than the ring holds */
		{ UINT64_MAX, 1, 0 },	 /* less than nothing */
		{ 8, 1, 0 },		 /* half a head */
		{ 32, 0, 0 },		 /* nothing in a frame */
		{ 32, 17, 0 },		 /* more than was announced */
		{ RING, RING / 2, 0 },	 /* longer than a frame may be */
		{ RING, UINT32_MAX, 0 }, /* a length whose padding overflows */
		{ 32, 1, 1 },		 /* out of order */
	};
	_Atomic unsigned int nr_lines = 0;

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		struct ontb_ntb *peer;
		uint8_t head[16] = { 0 }, counter[8], buf[64];
		struct ontb_ntb_qp_status status;
		struct rig rig;

		open_rig(&rig, false);
		peer = rig.pair.hosts[0].ntb;
		ontb_put_le32(head, rows[i].len);
		ontb_put_le64(head + 8, rows[i].number);
		ontb_put_le64(counter, rows[i].produced);
		assert_int_equal(ontb_ntb_peer_write(peer, 0, 0, ONTB_QP_RINGS, head, sizeof(head)), 0);
		assert_int_equal(ontb_ntb_peer_write(peer, 0, 0, ONTB_QP_COUNTERS, counter, sizeof(counter)), 0);
		atomic_store(&nr_lines, 0);
		ontb_log_set_sink(quiet, &nr_lines);
		assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 0, buf, sizeof(buf)), -EPROTO);
		assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 0, buf, sizeof(buf)), -EPROTO);
		ontb_log_set_sink(NULL, NULL);
		assert_int_equal(atomic_load(&nr_lines), 1);
		assert_int_equal(ontb_ntb_qp_status(rig.transports[1], 0, &status), 0);
		assert_true(status.is_broken);
		/* The other queue pair does not notice. */
		assert_int_equal(ontb_ntb_qp_send(rig.transports[0], 1, "hello", 5), 0);
		assert_int_equal(ontb_ntb_qp_recv(rig.transports[1], 1, buf, sizeof(buf)), 5);
		assert_memory_equal(buf, "hello", 5);
		close_rig(&rig);
	}
}

static void peer_that_says_it_took_what_was_never_sent(void **state)
{
	uint8_t counter[8];
	_Atomic unsigned int nr_lines = 0;
	struct rig rig;

	(void)state;
	open_rig(&rig, false);
	ontb_put_le64(counter, 5000);
	assert_int_equal(ontb_ntb_peer_write(rig.pair.hosts[0].ntb, 0, 0, ONTB_QP_COUNTERS + 8, counter, 8), 0);
	ontb_log_set_sink(quiet, &nr_lines);
	assert_int_equal(ontb_ntb_qp_send(rig.transports[1], 0, counter, 8), -EPROTO);
	ontb_log_set_sink(NULL, NULL);
	assert_int_equal(atomic_load(&nr_lines), 1);
	close_rig(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_whole_and_in_order_with_interrupts),
		cmocka_unit_test(frames_arrive_whole_and_in_order_when_polled),
		cmocka_unit_test(transport_can_be_made_again_at_once),
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(full_ring_says_so_and_goes_on),
		cmocka_unit_test(lying_peer_stops_only_its_own_queue_pair),
		cmocka_unit_test(peer_that_says_it_took_what_was_never_sent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
