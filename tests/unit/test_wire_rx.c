// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The receive buffer: messages in any pieces, and who owns descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfio_user/rx.h"

#define MAX_MSG (1U << 20)

static size_t put_message(uint8_t *p, uint16_t id, uint16_t cmd, uint32_t body)
{
	const struct ontb_wire_hdr hdr = { .id = id, .cmd = cmd, .size = 16 + body };

	ontb_wire_hdr_put(p, &hdr);
	for (uint32_t i = 0; i < body; i++)
		p[16 + i] = (uint8_t)(id + i);
	return hdr.size;
}

static void feed(struct ontb_rx *rx, const uint8_t *data, size_t len, const int *fds, unsigned int nr_fds)
{
	uint8_t *ptr;
	size_t room;

	assert_int_equal(ontb_rx_space(rx, &ptr, &room), 0);
	assert_true(room >= len);
	memcpy(ptr, data, len);
	ontb_rx_commit(rx, len, fds, nr_fds, false);
}

static void expect(struct ontb_rx *rx, uint16_t id, struct ontb_rx_msg *msg)
{
	assert_int_equal(ontb_rx_next(rx, msg), 1);
	assert_int_equal(msg->hdr.id, id);
	for (size_t i = 0; i < msg->len; i++)
		assert_int_equal(msg->body[i], (uint8_t)(id + i));
}

static int dup_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void messages_in_pieces_of_every_size(void **state)
{
	uint8_t stream[2000];
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	size_t len = 0;

	(void)state;
	for (uint16_t id = 0; id < 30; id++)
		len += put_message(stream + len, id, ONTB_WIRE_REGION_WRITE, id);
	for (size_t step = 1; step < 100; step++) {
		uint16_t id = 0;

		assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
		for (size_t pos = 0; pos < len; pos += step) {
			feed(&rx, stream + pos, step < len - pos ? step : len - pos, NULL, 0);
			while (rx.tail - rx.head >= 16 && ontb_rx_next(&rx, &msg) == 1) {
				assert_int_equal(msg.hdr.id, id);
				assert_int_equal(msg.len, id);
				id++;
			}
		}
		assert_int_equal(id, 30);
		ontb_rx_fini(&rx);
	}
}

static void buffer_grows_for_a_large_message_and_shrinks_again(void **state)
{
	size_t len, pos = 0, room;
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	uint8_t *big, *ptr;

	(void)state;
	big = malloc(MAX_MSG);
	assert_non_null(big);
	len = put_message(big, 7, ONTB_WIRE_REGION_WRITE, 500000);
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	while (pos < len) {
		assert_int_equal(ontb_rx_space(&rx, &ptr, &room), 0);
		room = room < len - pos ? room : len - pos;
		memcpy(ptr, big + pos, room);
		ontb_rx_commit(&rx, room, NULL, 0, false);
		pos += room;
		if (pos < len)
			assert_int_equal(ontb_rx_next(&rx, &msg), 0);
	}
	assert_int_equal(rx.cap, len);
	expect(&rx, 7, &msg);
	assert_int_equal(ontb_rx_space(&rx, &ptr, &room), 0);
	assert_int_equal(rx.cap, ONTB_RX_BASE_SIZE);
	assert_int_equal(room, ONTB_RX_BASE_SIZE);
	ontb_rx_fini(&rx);
	free(big);
}

static void impossible_header_is_found_at_once(void **state)
{
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	uint8_t buf[64];

	(void)state;
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	put_message(buf, 1, 9, 0);
	put_message(buf + 16, 2, 9, 32);
	ontb_put_le32(buf + 16 + 4, MAX_MSG + 1);
	feed(&rx, buf, 31, NULL, 0);
	expect(&rx, 1, &msg);
	assert_int_equal(ontb_rx_next(&rx, &msg), 0);
	feed(&rx, buf + 31, 1, NULL, 0);
	assert_int_equal(ontb_rx_next(&rx, &msg), -EPROTO);
	assert_int_equal(msg.hdr.id, 2);
	ontb_rx_fini(&rx);
}

/* Feed messages with these commands at once, with one descriptor; return the index of the message that gets it. */
static int owner_of(const uint16_t *cmds, unsigned int nr, size_t cut)
{
	uint8_t buf[512];
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	int fd = dup_null(), owner = -1;
	size_t len = 0;

	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	for (uint16_t i = 0; i < nr; i++)
		len += put_message(buf + len, i, cmds[i], 32);
	feed(&rx, buf, len - cut, &fd, 1);
	for (;;) {
		if (!ontb_rx_next(&rx, &msg)) {
			if (!cut)
				break;
			feed(&rx, buf + len - cut, cut, NULL, 0);
			cut = 0;
			continue;
		}
		if (!msg.fds)
			continue;
		assert_int_equal(owner, -1);
		assert_int_equal(msg.fds->nr, 1);
		assert_int_equal(msg.fds->fd[0], fd);
		owner = msg.hdr.id;
		ontb_rx_close_fds(msg.fds);
	}
	assert_false(is_open(fd));
	ontb_rx_fini(&rx);
	return owner;
}

static void owner_is_the_last_message_that_can_take_descriptors(void **state)
{
	const uint16_t map = ONTB_WIRE_DMA_MAP, irq = ONTB_WIRE_DEVICE_SET_IRQS, read = ONTB_WIRE_REGION_READ;

	(void)state;
	assert_int_equal(owner_of((uint16_t[]){ map }, 1, 0), 0);
	assert_int_equal(owner_of((uint16_t[]){ map, map }, 2, 0), 1);
	assert_int_equal(owner_of((uint16_t[]){ map, map, irq }, 3, 0), 2);
	assert_int_equal(owner_of((uint16_t[]){ read, map, read }, 3, 0), 1);
	assert_int_equal(owner_of((uint16_t[]){ map, read, read }, 3, 0), 0);
	assert_int_equal(owner_of((uint16_t[]){ read, read }, 2, 0), 1);
	/* The last one is there in part: with its command, and without. */
	assert_int_equal(owner_of((uint16_t[]){ map, map }, 2, 20), 1);
	assert_int_equal(owner_of((uint16_t[]){ map, read }, 2, 20), 0);
	assert_int_equal(owner_of((uint16_t[]){ map, map }, 2, 40), 1);
}

static void descriptors_before_and_with_the_rest_of_a_message(void **state)
{
	uint8_t buf[128];
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	int fds[3] = { dup_null(), dup_null(), dup_null() };

	(void)state;
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	put_message(buf, 1, ONTB_WIRE_DMA_MAP, 32);
	put_message(buf + 48, 2, ONTB_WIRE_DMA_MAP, 32);
	feed(&rx, buf, 10, &fds[0], 1);
	assert_int_equal(ontb_rx_next(&rx, &msg), 0);
	feed(&rx, buf + 10, 10, &fds[1], 1);
	assert_int_equal(ontb_rx_next(&rx, &msg), 0);
	/* The rest of the first and all of the second, which owns what comes now. */
	feed(&rx, buf + 20, 76, &fds[2], 1);
	expect(&rx, 1, &msg);
	assert_int_equal(msg.fds->nr, 2);
	assert_int_equal(msg.fds->fd[0], fds[0]);
	assert_int_equal(msg.fds->fd[1], fds[1]);
	ontb_rx_close_fds(msg.fds);
	expect(&rx, 2, &msg);
	assert_int_equal(msg.fds->nr, 1);
	assert_int_equal(msg.fds->fd[0], fds[2]);
	ontb_rx_close_fds(msg.fds);
	ontb_rx_fini(&rx);
}

static void descriptors_do_not_go_to_a_message_that_started_before(void **state)
{
	uint8_t buf[128];
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	int fd = dup_null();

	(void)state;
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	put_message(buf, 1, ONTB_WIRE_DMA_MAP, 32);
	put_message(buf + 48, 2, ONTB_WIRE_REGION_READ, 16);
	feed(&rx, buf, 20, NULL, 0);
	assert_int_equal(ontb_rx_next(&rx, &msg), 0);
	feed(&rx, buf + 20, 60, &fd, 1);
	expect(&rx, 1, &msg);
	assert_null(msg.fds);
	expect(&rx, 2, &msg);
	assert_non_null(msg.fds);
	ontb_rx_close_fds(msg.fds);
	ontb_rx_fini(&rx);
}

static void descriptors_that_nobody_took_are_closed_at_the_end(void **state)
{
	uint8_t buf[64];
	struct ontb_rx rx;
	int fds[2] = { dup_null(), dup_null() };

	(void)state;
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	put_message(buf, 1, ONTB_WIRE_DMA_MAP, 32);
	feed(&rx, buf, 47, fds, 2);
	ontb_rx_fini(&rx);
	assert_false(is_open(fds[0]));
	assert_false(is_open(fds[1]));
}

static void more_descriptors_than_can_be_kept_are_closed(void **state)
{
	uint8_t buf[64];
	int fds[ONTB_RX_MAX_FDS];
	struct ontb_rx_msg msg;
	struct ontb_rx rx;
	int extra;

	(void)state;
	assert_int_equal(ontb_rx_init(&rx, MAX_MSG), 0);
	put_message(buf, 1, ONTB_WIRE_DMA_MAP, 32);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(fds); i++)
		fds[i] = dup_null();
	feed(&rx, buf, 10, fds, ONTB_ARRAY_SIZE(fds));
	extra = dup_null();
	feed(&rx, buf + 10, 38, &extra, 1);
	assert_false(is_open(extra));
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(fds); i++)
		assert_int_equal(is_open(fds[i]), i < ONTB_RX_KEEP_FDS);
	expect(&rx, 1, &msg);
	assert_int_equal(msg.fds->nr, ONTB_RX_KEEP_FDS);
	ontb_rx_close_fds(msg.fds);
	ontb_rx_fini(&rx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_in_pieces_of_every_size),
		cmocka_unit_test(buffer_grows_for_a_large_message_and_shrinks_again),
		cmocka_unit_test(impossible_header_is_found_at_once),
		cmocka_unit_test(owner_is_the_last_message_that_can_take_descriptors),
		cmocka_unit_test(descriptors_before_and_with_the_rest_of_a_message),
		cmocka_unit_test(descriptors_do_not_go_to_a_message_that_started_before),
		cmocka_unit_test(descriptors_that_nobody_took_are_closed_at_the_end),
		cmocka_unit_test(more_descriptors_than_can_be_kept_are_closed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire_rx", tests, NULL, NULL);
}
