// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A function behind a socket, as a struct ontb_func.
 *
 * Two threads: the one of call.c receives, and stores what the server writes as DMA; the other one waits for eventfds, raises
 * vectors, and sends the replies that are owed. Both are host operations, and run inside the read side of @gate; exclusive()
 * takes its write side, which is all that access.h asks for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openntb/error.h>
#include <openntb/vfio_user_client.h>

#include "base/bytes.h"
#include "base/log.h"
#include "vfio_user/client/call.h"
#include "vfio_user/version.h"

#define FDS_PER_MSG  8U
#define MAX_VECTORS  2048U
#define BAR_TYPE     0x6U
#define BAR_64BIT    0x4U
#define BAR_PREFETCH 0x8U

/**
 * struct owed - a reply that is owed to the server
 * @hdr:  Of its command.
 * @addr: Address.
 * @len:  Bytes asked for.
 * @err:  0 for a write that was done, otherwise an error; reads are done when they are answered.
 */
struct owed {
	struct ontb_wire_hdr hdr;
	uint64_t addr;
	uint64_t len;
	int err;
};

/**
 * struct ontb_vfio_user_client - a client
 * @func:      What the host sees.
 * @info:      What the function is. Constant.
 * @calls:     Connection.
 * @ram_fd:    The host's memory; likewise @ram_base, @ram_size. Constant.
 * @ram_base:  .
 * @ram_size:  .
 * @gate:      Read: a host operation; write: exclusive(), attach, detach.
 * @ops:       Host operations, NULL without a host. Under @gate.
 * @host:      For @ops.
 * @eventfds:  One per vector. Constant.
 * @epoll:     Of @eventfds and @kick. Constant.
 * @kick:      Eventfd: something is owed, or the thread has to end. Constant.
 * @thread:    Waits for @epoll.
 * @owed_lock: Leaf lock of @owed and @nr_owed.
 * @owed:      Replies owed.
 * @nr_owed:   How many.
 * @stop:      The thread has to end.
 */
struct ontb_vfio_user_client {
	struct ontb_func func;
	struct ontb_func_info info;
	struct ontb_calls calls;
	int ram_fd;
	uint64_t ram_base;
	uint64_t ram_size;
	pthread_rwlock_t gate;
	const struct ontb_host_ops *ops;
	void *host;
	int *eventfds;
	int epoll;
	int kick;
	pthread_t thread;
	struct ontb_lock owed_lock;
	struct owed owed[ONTB_CALL_MAX_OWED];
	unsigned int nr_owed;
	_Atomic bool stop;
};

static struct ontb_vfio_user_client *to_client(struct ontb_func *func)
{
	return ontb_container_of(func, struct ontb_vfio_user_client, func);
}

static void kick(struct ontb_vfio_user_client *client)
{
	uint64_t one = 1;
	ssize_t n = write(client->kick, &one, sizeof(one));

	(void)n;
}

/* What the server asks for; runs in the receiving thread, so it never waits. */
static int on_command(void *arg, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len)
{
	struct ontb_vfio_user_client *client = arg;
	struct owed owed = { .hdr = *hdr, .err = -EINVAL };
	int ret = 0;

	if (len >= ONTB_WIRE_DMA_RW_SIZE) {
		owed.addr = ontb_get_le64(body);
		owed.len = ontb_get_le64(body + 8);
	}
	if (hdr->cmd == ONTB_WIRE_DMA_WRITE && owed.len && len - ONTB_WIRE_DMA_RW_SIZE == owed.len) {
		(void)pthread_rwlock_rdlock(&client->gate);
		owed.err = client->ops ? client->ops->mem_write(client->host, 0, owed.addr,
								body + ONTB_WIRE_DMA_RW_SIZE, (size_t)owed.len)
				       : -ENOLINK;
		(void)pthread_rwlock_unlock(&client->gate);
	} else if (hdr->cmd == ONTB_WIRE_DMA_READ && owed.len && owed.len <= ONTB_CALL_MAX_DATA &&
		   len == ONTB_WIRE_DMA_RW_SIZE) {
		owed.err = 0;
	}
	if (hdr->flags & ONTB_WIRE_F_NO_REPLY)
		return 0;
	ontb_lock(&client->owed_lock);
	if (client->nr_owed < ONTB_CALL_MAX_OWED)
		client->owed[client->nr_owed++] = owed;
	else
		ret = -ENOBUFS;
	ontb_unlock(&client->owed_lock);
	kick(client);
	return ret;
}

static void read_done(struct ontb_read *read, int status)
{
	(void)read;
	(void)status;
}

/* The host's memory is shared, so a server has no need to read it by message; one that does gets what is there. */
static int read_host(struct ontb_vfio_user_client *client, uint64_t addr, void *buf, size_t len)
{
	struct ontb_read read = { .buf = buf, .len = len, .done = read_done };
	int ret;

	(void)pthread_rwlock_rdlock(&client->gate);
	ret = client->ops ? client->ops->mem_read(client->host, addr, &read) : -ENOLINK;
	(void)pthread_rwlock_unlock(&client->gate);
	return ret;
}

static void answer_one(struct ontb_vfio_user_client *client, const struct owed *owed)
{
	const size_t data = owed->hdr.cmd == ONTB_WIRE_DMA_READ && !owed->err ? (size_t)owed->len : 0;
	uint8_t *body = calloc(1, ONTB_WIRE_DMA_RW_SIZE + data);
	int err = owed->err;

	if (!body) {
		(void)ontb_calls_reply(&client->calls, &owed->hdr, -ENOMEM, NULL, 0);
		return;
	}
	ontb_put_le64(body, owed->addr);
	ontb_put_le64(body + 8, owed->len);
	if (data)
		err = read_host(client, owed->addr, body + ONTB_WIRE_DMA_RW_SIZE, data);
	(void)ontb_calls_reply(&client->calls, &owed->hdr, err, body, ONTB_WIRE_DMA_RW_SIZE + data);
	free(body);
}

static void answer(struct ontb_vfio_user_client *client)
{
	struct owed owed[ONTB_CALL_MAX_OWED];
	unsigned int nr;

	ontb_lock(&client->owed_lock);
	nr = client->nr_owed;
	memcpy(owed, client->owed, nr * sizeof(owed[0]));
	client->nr_owed = 0;
	ontb_unlock(&client->owed_lock);
	for (unsigned int i = 0; i < nr; i++)
		answer_one(client, &owed[i]);
}

static void raise_one(struct ontb_vfio_user_client *client, unsigned int vector)
{
	uint64_t count;

	if (read(client->eventfds[vector], &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	(void)pthread_rwlock_rdlock(&client->gate);
	if (client->ops)
		client->ops->raise_vector(client->host, vector);
	(void)pthread_rwlock_unlock(&client->gate);
}

static void *event_loop(void *arg)
{
	struct ontb_vfio_user_client *client = arg;

	(void)pthread_setname_np(pthread_self(), "ontb-vfu-events");
	while (!atomic_load(&client->stop)) {
		struct epoll_event events[16];
		int nr = epoll_wait(client->epoll, events, (int)ONTB_ARRAY_SIZE(events), -1);

		for (int i = 0; i < nr; i++) {
			uint64_t count;

			if (events[i].data.u32 < client->info.nr_vectors)
				raise_one(client, events[i].data.u32);
			else if (read(client->kick, &count, sizeof(count)) > 0)
				answer(client);
		}
	}
	return NULL;
}

static void describe(struct ontb_func *func, struct ontb_func_info *info)
{
	*info = to_client(func)->info;
}

/* A batch means nothing to a client: each access is a message of its own. */
static void enter(struct ontb_func *func)
{
	(void)func;
}

static void leave(struct ontb_func *func)
{
	(void)func;
}

static void exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg)
{
	struct ontb_vfio_user_client *client = to_client(func);

	(void)pthread_rwlock_wrlock(&client->gate);
	fn(arg);
	(void)pthread_rwlock_unlock(&client->gate);
}

static int map_ram(struct ontb_vfio_user_client *client)
{
	uint8_t body[ONTB_WIRE_DMA_MAP_SIZE];
	const struct ontb_call_msg msg = {
		.cmd = ONTB_WIRE_DMA_MAP, .body = body, .len = sizeof(body), .fds = &client->ram_fd, .nr_fds = 1
	};

	ontb_put_le32(body, sizeof(body));
	ontb_put_le32(body + 4, ONTB_WIRE_MAP_F_READ | ONTB_WIRE_MAP_F_WRITE);
	ontb_put_le64(body + 8, 0);
	ontb_put_le64(body + 16, client->ram_base);
	ontb_put_le64(body + 24, client->ram_size);
	return ontb_calls_do(&client->calls, &msg, NULL, 0);
}

static int unmap_ram(struct ontb_vfio_user_client *client)
{
	uint8_t body[ONTB_WIRE_DMA_UNMAP_SIZE], reply[ONTB_WIRE_DMA_UNMAP_SIZE];
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_DMA_UNMAP, .body = body, .len = sizeof(body) };

	ontb_put_le32(body, sizeof(body));
	ontb_put_le32(body + 4, 0);
	ontb_put_le64(body + 8, client->ram_base);
	ontb_put_le64(body + 16, client->ram_size);
	return ontb_calls_do(&client->calls, &msg, reply, sizeof(reply));
}

static int set_irqs(struct ontb_vfio_user_client *client, uint32_t data, unsigned int start, unsigned int count,
		    const int *fds)
{
	uint8_t body[ONTB_WIRE_IRQ_SET_SIZE];
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_DEVICE_SET_IRQS,
					   .body = body,
					   .len = sizeof(body),
					   .fds = fds,
					   .nr_fds = fds ? count : 0 };

	ontb_put_le32(body, sizeof(body));
	ontb_put_le32(body + 4, data | ONTB_WIRE_IRQ_TRIGGER);
	ontb_put_le32(body + 8, ONTB_WIRE_IRQ_MSIX);
	ontb_put_le32(body + 12, start);
	ontb_put_le32(body + 16, count);
	return ontb_calls_do(&client->calls, &msg, NULL, 0);
}

static int arm_vectors(struct ontb_vfio_user_client *client)
{
	const unsigned int nr = client->info.nr_vectors;
	int ret = 0;

	for (unsigned int v = 0; !ret && v < nr; v += FDS_PER_MSG)
		ret = set_irqs(client, ONTB_WIRE_IRQ_DATA_EVENTFD, v, nr - v < FDS_PER_MSG ? nr - v : FDS_PER_MSG,
			       client->eventfds + v);
	return ret;
}

static int attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host)
{
	struct ontb_vfio_user_client *client = to_client(func);
	int ret = 0;

	(void)pthread_rwlock_wrlock(&client->gate);
	if (client->ops)
		ret = -EBUSY;
	else
		client->ops = ops;
	client->host = ret ? client->host : host;
	(void)pthread_rwlock_unlock(&client->gate);
	if (ret)
		return ret;
	ret = map_ram(client);
	if (!ret)
		ret = arm_vectors(client);
	if (ret)
		func->ops->detach(func);
	return ret;
}

static void reset(struct ontb_func *func)
{
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_DEVICE_RESET };

	(void)ontb_calls_do(&to_client(func)->calls, &msg, NULL, 0);
}

static void detach(struct ontb_func *func)
{
	struct ontb_vfio_user_client *client = to_client(func);

	if (ontb_vfio_user_client_is_alive(client)) {
		reset(func);
		(void)set_irqs(client, ONTB_WIRE_IRQ_DATA_NONE, 0, 0, NULL);
		(void)unmap_ram(client);
	}
	(void)pthread_rwlock_wrlock(&client->gate);
	client->ops = NULL;
	client->host = NULL;
	(void)pthread_rwlock_unlock(&client->gate);
}

static void put_access(uint8_t *body, uint32_t region, uint64_t offset, size_t len)
{
	const struct ontb_wire_region_rw rw = { .offset = offset, .region = region, .count = (uint32_t)len };

	ontb_wire_put_region_rw(body, &rw);
}

static int read_region(struct ontb_vfio_user_client *client, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	uint8_t body[ONTB_WIRE_REGION_RW_SIZE], small[ONTB_WIRE_REGION_RW_SIZE + 64];
	const struct ontb_call_msg msg = {
		.cmd = ONTB_WIRE_REGION_READ,
		.body = body,
		.len = sizeof(body),
		/* A window leads to another host. */
		.may_be_late = region != ONTB_WIRE_REGION_CONFIG,
	};
	uint8_t *reply = len <= 64 ? small : malloc(ONTB_WIRE_REGION_RW_SIZE + len);
	int ret = -ENOMEM;

	put_access(body, region, offset, len);
	if (reply)
		ret = ontb_calls_do(&client->calls, &msg, reply, ONTB_WIRE_REGION_RW_SIZE + len);
	if (ret)
		memset(buf, 0xff, len);
	else
		memcpy(buf, reply + ONTB_WIRE_REGION_RW_SIZE, len);
	if (reply != small)
		free(reply);
	return ret;
}

static int config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	struct ontb_vfio_user_client *client = to_client(func);

	if (!ontb_range_fits(offset, len, client->info.config_size))
		return -ERANGE;
	(void)read_region(client, ONTB_WIRE_REGION_CONFIG, offset, buf, len);
	return 0;
}

static int config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_vfio_user_client *client = to_client(func);
	uint8_t body[ONTB_WIRE_REGION_RW_SIZE], reply[ONTB_WIRE_REGION_RW_SIZE];
	const struct ontb_call_msg msg = {
		.cmd = ONTB_WIRE_REGION_WRITE, .body = body, .len = sizeof(body), .data = buf, .data_len = len
	};

	if (!ontb_range_fits(offset, len, client->info.config_size))
		return -ERANGE;
	put_access(body, ONTB_WIRE_REGION_CONFIG, offset, len);
	(void)ontb_calls_do(&client->calls, &msg, reply, sizeof(reply));
	return 0;
}

static int bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	struct ontb_vfio_user_client *client = to_client(func);

	if (bar >= ONTB_NR_BARS || !ontb_range_fits(offset, read->len, client->info.bars[bar].size))
		return -ERANGE;
	for (size_t done = 0; done < read->len;) {
		size_t len = read->len - done < ONTB_CALL_MAX_DATA ? read->len - done : ONTB_CALL_MAX_DATA;

		(void)read_region(client, bar, offset + done, (uint8_t *)read->buf + done, len);
		done += len;
	}
	return 0;
}

static int bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_vfio_user_client *client = to_client(func);

	if (bar >= ONTB_NR_BARS || !ontb_range_fits(offset, len, client->info.bars[bar].size))
		return -ERANGE;
	for (size_t done = 0; done < len;) {
		uint8_t body[ONTB_WIRE_REGION_RW_SIZE];
		const struct ontb_call_msg msg = {
			.cmd = ONTB_WIRE_REGION_WRITE,
			.body = body,
			.len = sizeof(body),
			.data = (const uint8_t *)buf + done,
			.data_len = len - done < ONTB_CALL_MAX_DATA ? len - done : ONTB_CALL_MAX_DATA,
		};

		put_access(body, bar, offset + done, msg.data_len);
		(void)ontb_calls_post(&client->calls, &msg);
		done += msg.data_len;
	}
	return 0;
}

static const struct ontb_func_ops client_func_ops = {
	.describe = describe,
	.enter = enter,
	.leave = leave,
	.exclusive = exclusive,
	.attach = attach,
	.detach = detach,
	.reset = reset,
	.config_read = config_read,
	.config_write = config_write,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

/* Info requests are all alike: their size, and an index in the third word; the answer has the same size. */
static int ask(struct ontb_vfio_user_client *client, enum ontb_wire_cmd cmd, uint32_t index, uint8_t *reply, size_t len)
{
	uint8_t body[ONTB_WIRE_REGION_INFO_SIZE] = { 0 };
	const struct ontb_call_msg msg = { .cmd = cmd, .body = body, .len = len };

	ontb_put_le32(body, (uint32_t)len);
	ontb_put_le32(body + 8, index);
	return ontb_calls_do(&client->calls, &msg, reply, len);
}

/* The answer has no fixed length, so it is asked for in the one way that ours and QEMU's servers share: two numbers and JSON. */
static int negotiate(struct ontb_vfio_user_client *client)
{
	const struct ontb_version mine = {
		.major = ONTB_VERSION_MAJOR,
		.minor = ONTB_VERSION_MINOR,
		.max_msg_fds = ONTB_VERSION_MAX_FDS,
		.max_data_xfer = ONTB_CALL_MAX_DATA,
		.max_dma_maps = 1,
	};
	uint8_t body[ONTB_VERSION_MAX_REPLY], reply[ONTB_VERSION_MAX_REPLY];
	struct ontb_call_msg msg = { .cmd = ONTB_WIRE_VERSION, .body = body };
	struct ontb_version theirs;
	const char *why = "";
	size_t len;
	int ret;

	msg.len = ontb_version_put(body, &mine);
	ret = ontb_calls_do_any(&client->calls, &msg, reply, sizeof(reply), &len);
	if (ret)
		return ret;
	ret = ontb_version_get(reply, len, &theirs, &why);
	if (!ret && (theirs.major != ONTB_VERSION_MAJOR || theirs.max_msg_fds < FDS_PER_MSG ||
		     theirs.max_data_xfer < ONTB_CALL_MAX_DATA)) {
		why = "another version, or it takes too little at a time";
		ret = -EPROTO;
	}
	if (ret)
		ontb_log(ONTB_LOG_NOTICE, "%s: version of the server: %s", client->calls.path, why);
	return ret == -EINVAL ? -EPROTO : ret;
}

static int learn_bars(struct ontb_vfio_user_client *client)
{
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		struct ontb_bar_info *bar = &client->info.bars[b];
		uint8_t info[ONTB_WIRE_REGION_INFO_SIZE], reg[4];
		int ret = ask(client, ONTB_WIRE_DEVICE_GET_REGION_INFO, b, info, sizeof(info));

		if (ret)
			return ret;
		bar->size = ontb_get_le64(info + 16);
		if (!bar->size)
			continue;
		if (!ontb_is_power_of_two(bar->size) || bar->size < 16)
			return -EPROTO;
		ret = read_region(client, ONTB_WIRE_REGION_CONFIG, 0x10 + b * 4ULL, reg, sizeof(reg));
		if (ret)
			return ret;
		bar->is_64bit = (ontb_get_le32(reg) & BAR_TYPE) == BAR_64BIT;
		bar->prefetchable = ontb_get_le32(reg) & BAR_PREFETCH;
	}
	return 0;
}

static int learn(struct ontb_vfio_user_client *client)
{
	uint8_t info[ONTB_WIRE_REGION_INFO_SIZE], irq[ONTB_WIRE_IRQ_INFO_SIZE];
	int ret = negotiate(client);

	if (!ret)
		ret = ask(client, ONTB_WIRE_DEVICE_GET_REGION_INFO, ONTB_WIRE_REGION_CONFIG, info, sizeof(info));
	if (ret)
		return ret;
	client->info.config_size = (uint32_t)ontb_get_le64(info + 16);
	if (client->info.config_size != 256 && client->info.config_size != 4096)
		return -EPROTO;
	ret = learn_bars(client);
	if (!ret)
		ret = ask(client, ONTB_WIRE_DEVICE_GET_IRQ_INFO, ONTB_WIRE_IRQ_MSIX, irq, sizeof(irq));
	if (ret)
		return ret;
	client->info.nr_vectors = ontb_get_le32(irq + 12);
	return client->info.nr_vectors <= MAX_VECTORS ? 0 : -EPROTO;
}

static void close_events(struct ontb_vfio_user_client *client)
{
	for (unsigned int v = 0; v < client->info.nr_vectors; v++) {
		if (client->eventfds[v] >= 0)
			(void)close(client->eventfds[v]);
	}
	free(client->eventfds);
	if (client->epoll >= 0)
		(void)close(client->epoll);
}

static int watch(const struct ontb_vfio_user_client *client, int fd, unsigned int number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };

	return epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_events(struct ontb_vfio_user_client *client)
{
	const unsigned int nr = client->info.nr_vectors;
	int ret;

	client->eventfds = calloc(nr + 1, sizeof(*client->eventfds));
	if (!client->eventfds)
		return -ENOMEM;
	for (unsigned int v = 0; v < nr; v++)
		client->eventfds[v] = -1;
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	ret = client->epoll < 0 ? -errno : watch(client, client->kick, nr);
	for (unsigned int v = 0; !ret && v < nr; v++) {
		client->eventfds[v] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ret = client->eventfds[v] < 0 ? -errno : watch(client, client->eventfds[v], v);
	}
	if (ret)
		close_events(client);
	return ret;
}

int ontb_vfio_user_client_new(const struct ontb_vfio_user_client_config *config, struct ontb_vfio_user_client **out)
{
	struct ontb_vfio_user_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client)
		return -ENOMEM;
	client->func.ops = &client_func_ops;
	client->ram_fd = config->ram_fd;
	client->ram_base = config->ram_base;
	client->ram_size = config->ram_size;
	(void)pthread_rwlock_init(&client->gate, NULL);
	ontb_lock_init(&client->owed_lock);
	client->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->kick < 0) {
		ret = -errno;
		goto free_client;
	}
	ret = ontb_calls_open(&client->calls, config->path, config->timeout_ns, on_command, client);
	if (ret)
		goto close_kick;
	ret = learn(client);
	/* A lost connection has its line already. */
	if (ret && ret != -ENOLINK && ret != -ETIMEDOUT)
		ontb_log(ONTB_LOG_WARNING, "%s: cannot use the function that is served there: %s", config->path,
			 ontb_strerror(ret));
	if (ret)
		goto close_calls;
	ret = open_events(client);
	if (ret)
		goto close_calls;
	ret = -pthread_create(&client->thread, NULL, event_loop, client);
	if (ret)
		goto close_events;
	*out = client;
	return 0;
close_events:
	close_events(client);
close_calls:
	ontb_calls_close(&client->calls);
close_kick:
	(void)close(client->kick);
free_client:
	ontb_lock_fini(&client->owed_lock);
	(void)pthread_rwlock_destroy(&client->gate);
	free(client);
	return ret;
}

struct ontb_func *ontb_vfio_user_client_func(struct ontb_vfio_user_client *client)
{
	return &client->func;
}

bool ontb_vfio_user_client_is_alive(const struct ontb_vfio_user_client *client)
{
	return !atomic_load(&client->calls.is_dead);
}

void ontb_vfio_user_client_free(struct ontb_vfio_user_client *client)
{
	if (!client)
		return;
	atomic_store(&client->stop, true);
	/* The connection first: the thread may wait for the socket. */
	ontb_calls_shutdown(&client->calls);
	kick(client);
	(void)pthread_join(client->thread, NULL);
	ontb_calls_close(&client->calls);
	close_events(client);
	(void)close(client->kick);
	ontb_lock_fini(&client->owed_lock);
	(void)pthread_rwlock_destroy(&client->gate);
	free(client);
}
