// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A vfio-user client for measuring.
 */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"

enum {
	CMD_VERSION = 1,
	CMD_DMA_MAP = 2,
	CMD_REGION_READ = 9,
	CMD_REGION_WRITE = 10,
};

#define FLAG_NO_REPLY 0x10U
#define FLAG_ERROR    0x20U

static size_t encode_header(struct client *client, uint8_t *buf, uint16_t cmd, uint32_t size, uint32_t flags)
{
	ontb_put_le16(buf, client->next_id++);
	ontb_put_le16(buf + 2, cmd);
	ontb_put_le32(buf + 4, size);
	ontb_put_le32(buf + 8, flags);
	ontb_put_le32(buf + 12, 0);
	return WIRE_HEADER_SIZE;
}

static size_t encode_access(struct client *client, uint8_t *buf, uint16_t cmd, uint32_t region, uint64_t offset,
			    uint32_t len, uint32_t data_len, uint32_t flags)
{
	(void)encode_header(client, buf, cmd, WIRE_ACCESS_SIZE + data_len, flags);
	ontb_put_le64(buf + 16, offset);
	ontb_put_le32(buf + 24, region);
	ontb_put_le32(buf + 28, len);
	return WIRE_ACCESS_SIZE;
}

size_t client_encode_write(struct client *client, uint8_t *buf, uint32_t region, uint64_t offset, const void *data,
			   uint32_t len, bool posted)
{
	(void)encode_access(client, buf, CMD_REGION_WRITE, region, offset, len, len, posted ? FLAG_NO_REPLY : 0);
	memcpy(buf + WIRE_ACCESS_SIZE, data, len);
	return WIRE_ACCESS_SIZE + len;
}

size_t client_encode_read(struct client *client, uint8_t *buf, uint32_t region, uint64_t offset, uint32_t len)
{
	return encode_access(client, buf, CMD_REGION_READ, region, offset, len, 0, 0);
}

int send_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int recv_all(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Wait for a reply and put its body, at most @max bytes, into @body. */
static int await_reply(struct client *client, uint8_t *body, size_t max)
{
	uint8_t header[WIRE_HEADER_SIZE];
	size_t size;
	int ret;

	ret = recv_all(client->fd, header, sizeof(header));
	if (ret)
		return ret;
	size = ontb_get_le32(header + 4) - WIRE_HEADER_SIZE;
	if (size > max)
		return -EMSGSIZE;
	ret = recv_all(client->fd, body, size);
	if (ret)
		return ret;
	return ontb_get_le32(header + 8) & FLAG_ERROR ? -(int)ontb_get_le32(header + 12) : 0;
}

static int negotiate(struct client *client)
{
	static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}";
	uint8_t buf[WIRE_HEADER_SIZE + 4 + sizeof(caps)], reply[4096];
	int ret;

	(void)encode_header(client, buf, CMD_VERSION, sizeof(buf), 0);
	ontb_put_le16(buf + 16, 0);
	ontb_put_le16(buf + 18, 0);
	memcpy(buf + 20, caps, sizeof(caps));
	ret = send_all(client->fd, buf, sizeof(buf));
	return ret ? ret : await_reply(client, reply, sizeof(reply));
}

static int map_memory(struct client *client, int memfd)
{
	uint8_t buf[WIRE_HEADER_SIZE + 32], reply[64];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	(void)encode_header(client, buf, CMD_DMA_MAP, sizeof(buf), 0);
	ontb_put_le32(buf + 16, 32);
	ontb_put_le32(buf + 20, 3); /* readable and writable */
	ontb_put_le64(buf + 24, 0); /* offset in the file */
	ontb_put_le64(buf + 32, 0); /* address */
	ontb_put_le64(buf + 40, client->ram_size);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &memfd, sizeof(int));
	if (sendmsg(client->fd, &msg, MSG_NOSIGNAL) != (ssize_t)sizeof(buf))
		return -errno;
	return await_reply(client, reply, sizeof(reply));
}

static int offer_memory(struct client *client, size_t ram_size)
{
	int memfd, ret;

	memfd = memfd_create("bench", MFD_CLOEXEC);
	if (memfd < 0)
		return -errno;
	if (ftruncate(memfd, (off_t)ram_size)) {
		ret = -errno;
		goto close_memfd;
	}
	client->ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memfd, 0);
	if (client->ram == MAP_FAILED) {
		ret = -errno;
		goto close_memfd;
	}
	client->ram_size = ram_size;
	ret = map_memory(client, memfd);
	if (ret)
		(void)munmap(client->ram, ram_size);
close_memfd:
	(void)close(memfd);
	return ret;
}

int client_open(struct client *client, const char *path, size_t ram_size)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	*client = (struct client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (client->fd < 0)
		return -errno;
	if (connect(client->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		ret = -errno;
		goto close_fd;
	}
	ret = negotiate(client);
	if (ret)
		goto close_fd;
	ret = offer_memory(client, ram_size);
	if (ret)
		goto close_fd;
	ret = client_write(client, CONFIG_REGION, 4, 0x6, 2);
	if (ret)
		goto unmap_ram;
	return 0;

unmap_ram:
	(void)munmap(client->ram, client->ram_size);
close_fd:
	(void)close(client->fd);
	return ret;
}

void client_close(struct client *client)
{
	(void)munmap(client->ram, client->ram_size);
	(void)close(client->fd);
}

int client_write(struct client *client, uint32_t region, uint64_t offset, uint64_t value, uint32_t len)
{
	uint8_t buf[WIRE_ACCESS_SIZE + 8], data[8], reply[64];
	int ret;

	ontb_put_le64(data, value);
	ret = send_all(client->fd, buf, client_encode_write(client, buf, region, offset, data, len, false));
	return ret ? ret : await_reply(client, reply, sizeof(reply));
}

int client_read(struct client *client, uint32_t region, uint64_t offset, uint32_t len, uint64_t *value)
{
	uint8_t buf[WIRE_ACCESS_SIZE], reply[16 + 8] = { 0 };
	int ret;

	ret = send_all(client->fd, buf, client_encode_read(client, buf, region, offset, len));
	if (ret)
		return ret;
	ret = await_reply(client, reply, sizeof(reply));
	if (ret)
		return ret;
	*value = ontb_get_le64(reply + 16);
	return 0;
}
