// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Output: order, whole headers, quotas and merging, with a socket that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vfio_user/tx.h"

#define QUOTA	  64U
#define INTERRUPT 0xfee00000ULL

struct rig {
	struct ontb_tx tx;
	int socks[2];
	unsigned int nr_wanted;
};

static void count_flush(void *arg)
{
	(*(unsigned int *)arg)++;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, rig->socks))
		return -1;
	ontb_tx_init(&rig->tx, rig->socks[0], QUOTA, count_flush, &rig->nr_wanted);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ontb_tx_fini(&rig->tx);
	close(rig->socks[0]);
	close(rig->socks[1]);
	free(rig);
	return 0;
}

static size_t put_reply(uint8_t *p, uint16_t id, size_t body)
{
	const struct ontb_wire_hdr req = { .id = id, .cmd = ONTB_WIRE_REGION_READ };

	ontb_wire_put_reply(p, &req, body);
	memset(p + ONTB_WIRE_HDR_SIZE, id & 0xff, body);
	return ONTB_WIRE_HDR_SIZE + body;
}

/* Receive the next message as QEMU does: the header in one call that must give all of it. */
static void receive(struct rig *rig, struct ontb_wire_hdr *hdr, uint8_t *body)
{
	uint8_t head[ONTB_WIRE_HDR_SIZE];
	size_t got = 0;
	ssize_t n;

	assert_int_equal(recv(rig->socks[1], head, sizeof(head), MSG_DONTWAIT), sizeof(head));
	ontb_wire_hdr_get(head, hdr);
	while (got < hdr->size - sizeof(head)) {
		n = recv(rig->socks[1], body + got, hdr->size - sizeof(head) - got, MSG_DONTWAIT);
		if (n < 0)
			ontb_tx_flush(&rig->tx);
		else
			got += (size_t)n;
	}
	ontb_tx_flush(&rig->tx);
}

static void expect_nothing(struct rig *rig)
{
	uint8_t byte;

	assert_int_equal(recv(rig->socks[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(ontb_tx_queued(&rig->tx), 0);
}

/* Fill the socket with replies until something is queued; return how many were sent. */
static uint16_t fill(struct rig *rig)
{
	uint8_t msg[1024];
	uint16_t nr = 0;

	while (!ontb_tx_queued(&rig->tx)) {
		put_reply(msg, nr++, sizeof(msg) - ONTB_WIRE_HDR_SIZE);
		assert_int_equal(ontb_tx_send(&rig->tx, msg, sizeof(msg)), 0);
	}
	return nr;
}

static void drain_replies(struct rig *rig, uint16_t nr)
{
	struct ontb_wire_hdr hdr;
	uint8_t body[1024];

	for (uint16_t id = 0; id < nr; id++) {
		receive(rig, &hdr, body);
		assert_int_equal(hdr.id, id);
	}
}

static void messages_go_out_at_once(void **state)
{
	struct rig *rig = *state;
	struct ontb_wire_hdr hdr;
	uint8_t msgs[200], body[100];
	size_t len;

	len = put_reply(msgs, 1, 10);
	len += put_reply(msgs + len, 2, 0);
	assert_int_equal(ontb_tx_send(&rig->tx, msgs, len), 0);
	receive(rig, &hdr, body);
	assert_true(hdr.id == 1 && hdr.size == 26);
	receive(rig, &hdr, body);
	assert_true(hdr.id == 2 && hdr.size == 16);
	expect_nothing(rig);
	assert_int_equal(rig->nr_wanted, 0);
	assert_int_equal(atomic_load(&rig->tx.stats.messages), 2);
	assert_int_equal(atomic_load(&rig->tx.stats.bytes), 42);
}

static void a_full_socket_queues_and_asks_to_be_flushed(void **state)
{
	struct rig *rig = *state;
	uint16_t nr = fill(rig);

	assert_int_equal(rig->nr_wanted, 1);
	drain_replies(rig, nr);
	expect_nothing(rig);
}

static void large_and_small_messages_keep_whole_headers(void **state)
{
	struct rig *rig = *state;
	struct ontb_wire_hdr hdr;
	uint8_t *msgs, *body;
	size_t len = 0;

	msgs = malloc(4 << 20);
	body = malloc(4 << 20);
	assert_true(msgs && body);
	for (uint16_t id = 0; id < 60; id++)
		len += put_reply(msgs + len, id, id % 6 == 5 ? 300000 : 1000U * (id % 6) + id);
	assert_int_equal(ontb_tx_send(&rig->tx, msgs, len), 0);
	assert_true(ontb_tx_queued(&rig->tx) > 0);
	for (uint16_t id = 0; id < 60; id++) {
		receive(rig, &hdr, body);
		assert_int_equal(hdr.id, id);
		for (size_t i = 0; i < hdr.size - ONTB_WIRE_HDR_SIZE; i += 997)
			assert_int_equal(body[i], id);
	}
	expect_nothing(rig);
	assert_int_equal(atomic_load(&rig->tx.stats.messages), 60);
	assert_int_equal(atomic_load(&rig->tx.stats.bytes), len);
	free(msgs);
	free(body);
}

/* Read until the socket is empty, without a flush in between: no message may end in the middle. */
static unsigned int drain_whole(struct rig *rig)
{
	uint8_t buf[64];
	unsigned int nr = 0;
	ssize_t n;

	while ((n = recv(rig->socks[1], buf, ONTB_WIRE_HDR_SIZE, MSG_DONTWAIT)) > 0) {
		assert_int_equal(n, ONTB_WIRE_HDR_SIZE);
		assert_int_equal(recv(rig->socks[1], buf, 21, MSG_DONTWAIT), 21);
		nr++;
	}
	return nr;
}

static void a_send_ends_with_a_message(void **state)
{
	const unsigned int nr = 40000;
	struct rig *rig = *state;
	unsigned int got = 0;
	uint8_t *msgs;
	size_t len = 0;

	msgs = malloc(nr * 37);
	assert_non_null(msgs);
	for (unsigned int i = 0; i < nr; i++)
		len += put_reply(msgs + len, (uint16_t)i, 21);
	assert_int_equal(ontb_tx_send(&rig->tx, msgs, len), 0);
	while (got < nr) {
		unsigned int more = drain_whole(rig);

		assert_true(more > 0);
		got += more;
		ontb_tx_flush(&rig->tx);
	}
	assert_int_equal(got, nr);
	free(msgs);
}

static int interrupt(struct rig *rig, unsigned int source, uint64_t addr, uint32_t data)
{
	return ontb_tx_dma_write(&rig->tx, source, addr, &data, sizeof(data), true);
}

static void quota_is_per_source(void **state)
{
	struct rig *rig = *state;
	struct ontb_wire_hdr hdr;
	uint8_t body[1024];
	uint16_t nr = fill(rig);

	for (uint32_t i = 0; i < QUOTA; i++)
		assert_int_equal(interrupt(rig, 1, INTERRUPT, i), 0);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, QUOTA), -ENOBUFS);
	assert_int_equal(atomic_load(&rig->tx.stats.dropped), 1);
	assert_int_equal(interrupt(rig, 2, INTERRUPT, 7), 0);
	drain_replies(rig, nr);
	for (uint32_t i = 0; i < QUOTA; i++) {
		receive(rig, &hdr, body);
		assert_int_equal(hdr.cmd, ONTB_WIRE_DMA_WRITE);
		assert_int_equal(ontb_get_le32(body + 16), i);
	}
	receive(rig, &hdr, body);
	assert_int_equal(ontb_get_le32(body + 16), 7);
	expect_nothing(rig);
	for (unsigned int i = 0; i < ONTB_MAX_PORTS; i++)
		assert_true(!rig->tx.nr_queued[i] && !rig->tx.bytes_queued[i]);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 0), 0);
	receive(rig, &hdr, body);
}

static void large_writes_have_a_quota_in_bytes(void **state)
{
	static uint8_t data[1 << 19];
	struct rig *rig = *state;

	fill(rig);
	assert_int_equal(ontb_tx_dma_write(&rig->tx, 0, 0x1000, data, sizeof(data), false), 0);
	assert_int_equal(ontb_tx_dma_write(&rig->tx, 0, 0x1000, data, sizeof(data), false), -ENOBUFS);
	assert_int_equal(ontb_tx_dma_write(&rig->tx, 1, 0x1000, data, sizeof(data), false), 0);
}

static void identical_interrupts_are_merged_above_the_mark(void **state)
{
	struct rig *rig = *state;
	uint64_t queued;

	fill(rig);
	for (unsigned int i = 0; i < QUOTA / 4; i++)
		assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	assert_int_equal(atomic_load(&rig->tx.stats.merged), 0);
	queued = ontb_tx_queued(&rig->tx);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	assert_int_equal(atomic_load(&rig->tx.stats.merged), 1000);
	assert_int_equal(ontb_tx_queued(&rig->tx), queued);
	/* Another address, another value, another source: each of them goes out. */
	assert_int_equal(interrupt(rig, 1, INTERRUPT + 4, 5), 0);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 6), 0);
	assert_int_equal(interrupt(rig, 2, INTERRUPT, 5), 0);
	assert_int_equal(ontb_tx_queued(&rig->tx), queued + 3 * 36);
}

static void an_interrupt_is_not_merged_across_data(void **state)
{
	struct rig *rig = *state;
	const uint64_t data = 1;
	uint64_t queued;

	fill(rig);
	for (unsigned int i = 0; i < QUOTA / 4; i++)
		assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	assert_int_equal(ontb_tx_dma_write(&rig->tx, 1, 0x1000, &data, sizeof(data), false), 0);
	queued = ontb_tx_queued(&rig->tx);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	assert_int_equal(ontb_tx_queued(&rig->tx), queued + 36);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	assert_int_equal(ontb_tx_queued(&rig->tx), queued + 36);
	assert_int_equal(atomic_load(&rig->tx.stats.merged), 1);
}

static void an_interrupt_that_was_sent_is_not_merged_with(void **state)
{
	struct rig *rig = *state;
	struct ontb_wire_hdr hdr;
	uint8_t body[1024];
	uint16_t nr = fill(rig);

	for (unsigned int i = 0; i < QUOTA / 2; i++)
		(void)interrupt(rig, 1, INTERRUPT, 5);
	drain_replies(rig, nr);
	for (unsigned int i = 0; i < QUOTA / 4; i++)
		receive(rig, &hdr, body);
	expect_nothing(rig);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), 0);
	receive(rig, &hdr, body);
	assert_int_equal(ontb_get_le32(body + 16), 5);
}

static void a_client_that_is_gone_costs_nothing(void **state)
{
	struct rig *rig = *state;
	uint8_t msg[32];

	fill(rig);
	close(rig->socks[1]);
	rig->socks[1] = -1;
	ontb_tx_flush(&rig->tx);
	assert_int_equal(ontb_tx_queued(&rig->tx), 0);
	put_reply(msg, 1, 16);
	assert_int_equal(ontb_tx_send(&rig->tx, msg, sizeof(msg)), -EPIPE);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), -EPIPE);
}

static void killing_drops_what_waits(void **state)
{
	struct rig *rig = *state;

	fill(rig);
	ontb_tx_kill(&rig->tx);
	assert_int_equal(ontb_tx_queued(&rig->tx), 0);
	assert_int_equal(interrupt(rig, 1, INTERRUPT, 5), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_go_out_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_socket_queues_and_asks_to_be_flushed, setup, teardown),
		cmocka_unit_test_setup_teardown(large_and_small_messages_keep_whole_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_send_ends_with_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(quota_is_per_source, setup, teardown),
		cmocka_unit_test_setup_teardown(large_writes_have_a_quota_in_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(identical_interrupts_are_merged_above_the_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interrupt_is_not_merged_across_data, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interrupt_that_was_sent_is_not_merged_with, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_is_gone_costs_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(killing_drops_what_waits, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire_tx", tests, NULL, NULL);
}
