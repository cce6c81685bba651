// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A file from the first host to the second: one thread reads and sends, this one receives. Both keep a checksum of their own.
 *
 * The first byte of each frame says whether it holds bytes of the file or is the end.
 */
#include <errno.h>
#include <pthread.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/error.h>
#include <openntb/ntb_transport.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tool/demo.h"
#include "tool/verbs.h"

#define RING_SIZE  (512 * ONTB_KIB)
#define FRAME_SIZE (64 * ONTB_KIB)
#define WAIT_NS	   (100 * ONTB_NS_PER_MS)
#define STALLED_NS (10 * ONTB_NS_PER_S)

enum mark {
	MARK_DATA = 'd',
	MARK_END = 'e'
};

/**
 * struct way - one end of the transfer
 * @transport: Transport of this host.
 * @file:      Being sent.
 * @hash:      Over what passed.
 * @ret:       0 or an error.
 */
struct way {
	struct ontb_ntb_transport *transport;
	FILE *file;
	SHA2_CTX hash;
	int ret;
};

static void put_hash(SHA2_CTX *hash, char *text)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256Final(digest, hash);
	for (unsigned int i = 0; i < sizeof(digest); i++)
		(void)snprintf(text + (size_t)i * 2, 3, "%02x", digest[i]);
}

static int send_frame(struct way *way, const void *buf, size_t len)
{
	uint64_t end = ontb_clock_ns() + STALLED_NS;
	int ret;

	while ((ret = ontb_ntb_qp_send(way->transport, 0, buf, len)) == -EAGAIN) {
		if (ontb_clock_ns() > end)
			return -ETIMEDOUT;
		/* The receiver says so when there is room; a wait that is too long only looks once more. */
		(void)ontb_ntb_qp_wait(way->transport, 0, WAIT_NS);
	}
	return ret ? ret : ontb_ntb_qp_kick(way->transport, 0);
}

static void *send_file(void *arg)
{
	struct way *way = arg;
	uint8_t *frame = malloc(FRAME_SIZE);
	uint8_t end = MARK_END;
	size_t len;

	if (!frame) {
		way->ret = -ENOMEM;
		return NULL;
	}
	frame[0] = MARK_DATA;
	while (!way->ret && (len = fread(frame + 1, 1, FRAME_SIZE - 1, way->file))) {
		SHA256Update(&way->hash, frame + 1, len);
		way->ret = send_frame(way, frame, len + 1);
	}
	if (!way->ret && ferror(way->file))
		way->ret = -EIO;
	if (!way->ret)
		way->ret = send_frame(way, &end, 1);
	free(frame);
	return NULL;
}

static int receive_frame(struct way *way, uint8_t *frame, int64_t *len)
{
	uint64_t end = ontb_clock_ns() + STALLED_NS;

	while ((*len = ontb_ntb_qp_recv(way->transport, 0, frame, FRAME_SIZE)) == -EAGAIN) {
		if (ontb_clock_ns() > end)
			return -ETIMEDOUT;
		(void)ontb_ntb_qp_wait(way->transport, 0, WAIT_NS);
	}
	return *len < 0 ? (int)*len : 0;
}

static int receive_file(struct way *way, uint64_t *bytes)
{
	uint8_t *frame = malloc(FRAME_SIZE);
	int ret = frame ? 0 : -ENOMEM;

	while (!ret) {
		int64_t len;

		ret = receive_frame(way, frame, &len);
		if (ret || frame[0] == MARK_END)
			break;
		SHA256Update(&way->hash, frame + 1, (size_t)len - 1);
		*bytes += (uint64_t)len - 1;
	}
	free(frame);
	return ret;
}

static int open_transport(struct demo_host *host, struct way *way)
{
	const struct ontb_ntb_transport_config config = {
		.ntb = ontb_host_ntb(host->host, 0),
		.irqs = host->irqs,
		.nr_qps = 1,
		.ring_size = RING_SIZE,
		.first_irq = host->demo->options.nr_irqs,
	};

	SHA256Init(&way->hash);
	return ontb_ntb_transport_new(&config, &way->transport);
}

static int connect_both(struct way *ways)
{
	uint64_t end = ontb_clock_ns() + STALLED_NS;
	int ret = -EAGAIN;

	while (ret == -EAGAIN && ontb_clock_ns() < end) {
		ret = ontb_ntb_transport_connect(ways[0].transport);
		if (!ret)
			ret = ontb_ntb_transport_connect(ways[1].transport);
	}
	return ret;
}

/* Which interrupts announced it: those of both queue pairs. */
static uint64_t count_interrupts(const struct way *ways)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		struct ontb_ntb_qp_status status;

		if (!ontb_ntb_qp_status(ways[i].transport, 0, &status))
			nr += status.notified;
	}
	return nr;
}

static int transfer(struct demo *demo, struct way *ways)
{
	struct demo_file *file = &demo->file;
	uint64_t start_ns = ontb_clock_ns();
	pthread_t sender;
	int ret = -pthread_create(&sender, NULL, send_file, &ways[0]);

	if (ret)
		return ret;
	ret = receive_file(&ways[1], &file->bytes);
	(void)pthread_join(sender, NULL);
	file->ns = ontb_clock_ns() - start_ns;
	if (!ret)
		ret = ways[0].ret;
	put_hash(&ways[0].hash, file->sent_hash);
	put_hash(&ways[1].hash, file->got_hash);
	file->interrupts = count_interrupts(ways);
	file->is_intact = !ret && !strcmp(file->sent_hash, file->got_hash);
	return ret;
}

int demo_send_file(struct demo *demo)
{
	struct way ways[DEMO_NR_HOSTS] = { 0 };
	int ret = 0;

	demo->file.path = demo->options.file ? demo->options.file : "/proc/self/exe";
	ways[0].file = fopen(demo->file.path, "re");
	if (!ways[0].file) {
		ret = -errno;
		ontb_tool_error("demo: --file %s: cannot read it: %s", demo->file.path, strerrordesc_np(-ret));
		return ret;
	}
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = open_transport(&demo->hosts[i], &ways[i]);
	if (!ret)
		ret = connect_both(ways);
	if (!ret)
		ret = transfer(demo, ways);
	if (ret)
		ontb_tool_error("demo: file %s: cannot be sent: %s", demo->file.path, ontb_strerror(ret));
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		ontb_ntb_transport_free(ways[i].transport);
	/* Its interrupts are gone when the peers have confirmed; only then they are out of the listing. */
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		(void)ontb_ntb_irq_settle(demo->hosts[i].irqs, ONTB_MSI_ANY_INDEX, STALLED_NS);
	(void)fclose(ways[0].file);
	return ret;
}
