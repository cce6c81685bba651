/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A vfio-user client for measuring: it knows just enough of the protocol, shares no code with the server, and leaves it
 * to the caller how many messages go into one send.
 */
#ifndef ONTB_BENCH_CLIENT_H
#define ONTB_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER_SIZE 16
#define WIRE_ACCESS_SIZE 32 /* header and the fixed part of a region access */
#define CONFIG_REGION	 7

/**
 * struct client - one connected client
 * @fd:     Socket.
 * @ram:    The client's memory, mapped.
 * @ram_size: Bytes.
 * @next_id: Id of the next message.
 */
struct client {
	int fd;
	uint8_t *ram;
	size_t ram_size;
	uint16_t next_id;
};

/**
 * client_open() - connect, negotiate the version, map memory at address 0, switch memory decoding and bus mastering on
 * @client:   OUT.
 * @path:     Socket.
 * @ram_size: Bytes of memory to offer by descriptor.
 *
 * Return: 0 or a negative errno value; then nothing is left open.
 */
int client_open(struct client *client, const char *path, size_t ram_size);

/**
 * client_close() - disconnect and free
 * @client: Client.
 */
void client_close(struct client *client);

/**
 * client_encode_write() - put a region write into a buffer
 * @client: Gives the id.
 * @buf:    OUT, room for WIRE_ACCESS_SIZE + @len.
 * @region: Region, a BAR number or CONFIG_REGION.
 * @offset: Offset in it.
 * @data:   Bytes to write.
 * @len:    How many.
 * @posted: No reply wanted.
 *
 * Return: Bytes used.
 */
size_t client_encode_write(struct client *client, uint8_t *buf, uint32_t region, uint64_t offset, const void *data,
			   uint32_t len, bool posted);

/**
 * client_encode_read() - put a region read into a buffer
 * @client: Gives the id.
 * @buf:    OUT, room for WIRE_ACCESS_SIZE.
 * @region: Region.
 * @offset: Offset in it.
 * @len:    Bytes to read.
 *
 * Return: Bytes used.
 */
size_t client_encode_read(struct client *client, uint8_t *buf, uint32_t region, uint64_t offset, uint32_t len);

/**
 * client_write() - write and wait for the reply
 * @client: Client.
 * @region: Region.
 * @offset: Offset in it.
 * @value:  Value, little endian on the wire.
 * @len:    1, 2, 4 or 8 bytes.
 *
 * Return: 0 or a negative errno value.
 */
int client_write(struct client *client, uint32_t region, uint64_t offset, uint64_t value, uint32_t len);

/**
 * client_read() - read and wait for the reply
 * @client: Client.
 * @region: Region.
 * @offset: Offset in it.
 * @len:    1 to 8 bytes.
 * @value:  OUT.
 *
 * Return: 0 or a negative errno value.
 */
int client_read(struct client *client, uint32_t region, uint64_t offset, uint32_t len, uint64_t *value);

/**
 * send_all() - send a whole buffer
 * @fd:  Socket.
 * @buf: Bytes.
 * @len: How many.
 *
 * Return: 0 or a negative errno value.
 */
int send_all(int fd, const void *buf, size_t len);

/**
 * recv_all() - receive exactly so many bytes
 * @fd:  Socket.
 * @buf: OUT.
 * @len: How many.
 *
 * Return: 0, -EPIPE if the other side closed, or another negative errno value.
 */
int recv_all(int fd, void *buf, size_t len);

#endif
