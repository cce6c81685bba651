// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The measurements. All return a negative number if the exchange broke.
 */
#include "cases.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "floor.h"

#define BATCH	      64
#define NR_BATCHES    2000
#define NR_SINGLE     20000
#define NR_ROUNDTRIPS 4000
#define READ_REPLY    (WIRE_ACCESS_SIZE + 4)

#define REG_PARTITION_COUNT 0x10000ULL
#define REG_ODB_MASK(p)	    (0x74000ULL + 0x4000ULL * (p) + 0x1008)

/* A target of writes or reads: a register or a place behind a window. */
struct place {
	uint32_t region;
	uint64_t offset;
	uint32_t len;
};

static const struct place place_register = { 0, REG_ODB_MASK(0), 8 };
static const struct place place_window = { 2, 0x100, 4 };

static double per_op(uint64_t start_ns, uint64_t nr_ops)
{
	return (double)(ontb_clock_ns() - start_ns) / (double)nr_ops;
}

/* One read behind the writes: its reply says that they have all been carried out. */
static int fence(struct client *client)
{
	uint64_t value;

	return client_read(client, 0, REG_PARTITION_COUNT, 4, &value);
}

static double posted(struct client *client, const struct place *place, unsigned int batch, unsigned int nr_batches)
{
	uint8_t buf[BATCH * (WIRE_ACCESS_SIZE + 8)], data[8] = { 1 };
	size_t len = 0;
	uint64_t start;

	for (unsigned int i = 0; i < batch; i++)
		len += client_encode_write(client, buf + len, place->region, place->offset, data, place->len, true);
	start = ontb_clock_ns();
	for (unsigned int i = 0; i < nr_batches; i++) {
		if (send_all(client->fd, buf, len))
			return -1;
	}
	if (fence(client))
		return -1;
	return per_op(start, (uint64_t)batch * nr_batches);
}

static double posted_register(struct server *server)
{
	return posted(&server->hosts[0], &place_register, BATCH, NR_BATCHES);
}

static double posted_window(struct server *server)
{
	return posted(&server->hosts[0], &place_window, BATCH, NR_BATCHES);
}

static double posted_window_single(struct server *server)
{
	return posted(&server->hosts[0], &place_window, 1, NR_SINGLE);
}

static double posted_floor_of(unsigned int batch, unsigned int nr_batches)
{
	struct floor_server floor;
	struct client client = { 0 };
	double ns;

	if (floor_start(&floor, true))
		return -1;
	client.fd = floor.fd;
	ns = posted(&client, &place_window, batch, nr_batches);
	floor_stop(&floor);
	return ns;
}

static double posted_floor(void)
{
	return posted_floor_of(BATCH, NR_BATCHES);
}

static double posted_floor_single(void)
{
	return posted_floor_of(1, NR_SINGLE);
}

/* @batch reads in one send, then all their replies. */
static double reads(struct client *client, unsigned int batch, unsigned int nr_batches)
{
	uint8_t buf[BATCH * WIRE_ACCESS_SIZE], replies[BATCH * READ_REPLY];
	size_t len = 0;
	uint64_t start;

	for (unsigned int i = 0; i < batch; i++)
		len += client_encode_read(client, buf + len, 0, REG_PARTITION_COUNT, 4);
	start = ontb_clock_ns();
	for (unsigned int i = 0; i < nr_batches; i++) {
		if (send_all(client->fd, buf, len) || recv_all(client->fd, replies, (size_t)batch * READ_REPLY))
			return -1;
	}
	return per_op(start, (uint64_t)batch * nr_batches);
}

static double reads_in_flight(struct server *server)
{
	return reads(&server->hosts[0], BATCH, NR_BATCHES / 4);
}

static double one_read(struct server *server)
{
	return reads(&server->hosts[0], 1, NR_ROUNDTRIPS);
}

static double reads_floor_of(bool walk, unsigned int batch, unsigned int nr_batches)
{
	struct floor_server floor;
	struct client client = { 0 };
	double ns;

	if (floor_start(&floor, walk))
		return -1;
	client.fd = floor.fd;
	ns = reads(&client, batch, nr_batches);
	floor_stop(&floor);
	return ns;
}

static double reads_in_flight_floor(void)
{
	return reads_floor_of(true, BATCH, NR_BATCHES / 4);
}

static double one_read_floor(void)
{
	return reads_floor_of(false, 1, NR_ROUNDTRIPS);
}

/* From a host's write into its window to the DMA write message in the peer's hands. */
static double trigger(struct server *server)
{
	uint8_t buf[WIRE_ACCESS_SIZE + 4], message[WIRE_ACCESS_SIZE + 4], data[4] = { 0x41 };
	size_t len = client_encode_write(&server->hosts[0], buf, 4, 0x1000, data, sizeof(data), true);
	uint64_t start = ontb_clock_ns();

	for (unsigned int i = 0; i < NR_ROUNDTRIPS; i++) {
		if (send_all(server->hosts[0].fd, buf, len) || recv_all(server->hosts[1].fd, message, sizeof(message)))
			return -1;
		if (ontb_get_le64(message + 16) != 0xfee01000)
			return -1;
	}
	return per_op(start, NR_ROUNDTRIPS);
}

/* All connected hosts write in turn, 64 writes each; the cost of one write. */
static double posted_by_all(struct server *server)
{
	uint8_t buf[BATCH * (WIRE_ACCESS_SIZE + 8)], data[8] = { 1 };
	unsigned int nr_batches = NR_BATCHES / server->nr_hosts;
	size_t len = 0;
	uint64_t start;

	for (unsigned int i = 0; i < BATCH; i++)
		len += client_encode_write(&server->hosts[0], buf + len, place_window.region, place_window.offset, data,
					   place_window.len, true);
	start = ontb_clock_ns();
	for (unsigned int i = 0; i < nr_batches; i++) {
		for (unsigned int h = 0; h < server->nr_hosts; h++) {
			if (send_all(server->hosts[h].fd, buf, len))
				return -1;
		}
	}
	for (unsigned int h = 0; h < server->nr_hosts; h++) {
		if (fence(&server->hosts[h]))
			return -1;
	}
	return per_op(start, (uint64_t)BATCH * nr_batches * server->nr_hosts);
}

static double memory_per_host(struct server *server)
{
	long before = server_memory(server), after;
	unsigned int nr_before = server->nr_hosts;

	while (server->nr_hosts < BENCH_MAX_HOSTS) {
		if (server_connect(server) || fence(&server->hosts[server->nr_hosts - 1]))
			return -1;
	}
	after = server_memory(server);
	return before < 0 || after < 0 ? -1 : (double)(after - before) / (double)(server->nr_hosts - nr_before);
}

#define PAIR	.nr_ports = 2, .nr_hosts = 2
#define OF_8(n) .nr_ports = 8, .nr_hosts = (n)

const struct bench_case bench_cases[] = {
	{ .name = "posted write to memory, 64 per send",
	  .unit = "ns",
	  .measure = posted_window,
	  .floor = posted_floor,
	  .target = { REPORT_BELOW, 60 },
	  PAIR },
	{ .name = "posted write to a register, 64 per send",
	  .unit = "ns",
	  .measure = posted_register,
	  .floor = posted_floor,
	  .target = { REPORT_BELOW, 60 },
	  PAIR },
	{ .name = "posted write to memory, 1 per send",
	  .unit = "ns",
	  .measure = posted_window_single,
	  .floor = posted_floor_single,
	  PAIR },
	{ .name = "read, 64 in flight",
	  .unit = "ns",
	  .measure = reads_in_flight,
	  .floor = reads_in_flight_floor,
	  .target = { REPORT_BELOW, 600 },
	  PAIR },
	{ .name = "one read, both sleeping",
	  .unit = "ns",
	  .measure = one_read,
	  .floor = one_read_floor,
	  .target = { REPORT_RATIO, 1.05 },
	  PAIR },
	{ .name = "one read, one core",
	  .unit = "ns",
	  .measure = one_read,
	  .floor = one_read_floor,
	  .target = { REPORT_RATIO, 1.05 },
	  .one_core = true,
	  PAIR },
	{ .name = "trigger to DMA write, both sleeping",
	  .unit = "ns",
	  .measure = trigger,
	  .floor = one_read_floor,
	  PAIR },
	{ .name = "trigger to DMA write, one core",
	  .unit = "ns",
	  .measure = trigger,
	  .floor = one_read_floor,
	  .one_core = true,
	  PAIR },
	{ .name = "posted write, 2 hosts writing", .unit = "ns", .measure = posted_by_all, OF_8(2) },
	{ .name = "posted write, 4 hosts writing", .unit = "ns", .measure = posted_by_all, OF_8(4) },
	{ .name = "posted write, 8 hosts writing", .unit = "ns", .measure = posted_by_all, OF_8(8) },
	{ .name = "memory per host", .unit = "bytes", .measure = memory_per_host, .once = true, OF_8(2) },
};

const size_t nr_bench_cases = sizeof(bench_cases) / sizeof(bench_cases[0]);
