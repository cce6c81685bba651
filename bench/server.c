// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The server under test.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define START_DEADLINE_NS (5 * ONTB_NS_PER_S)
#define HOST_RAM	  (1U << 20)

/* Switchtec registers that open windows; docs/hw-switchtec.md describes them. */
#define CTRL(p)	       (0x14000ULL + 0x2000ULL * (p))
#define CTRL_OP	       0x4
#define CTRL_BAR(b)    (0x40 + 16 * (b))
#define CTRL_LUT0      0x1000
#define OP_LOCK	       1
#define OP_CONFIGURE   2
#define BAR_CTL_DIRECT 0x10U
#define BAR_CTL_LUT    (0x20U | 16U << 8 | 31U << 14) /* 32 windows of 64 KiB */
#define SIZE_2M	       0x200015U

static void port_path(const struct server *server, unsigned int port_idx, char *buf, size_t len)
{
	(void)snprintf(buf, len, "%s/port%u.sock", server->dir, port_idx);
}

static int wait_for_socket(const struct server *server, unsigned int port_idx)
{
	uint64_t deadline = ontb_clock_ns() + START_DEADLINE_NS;
	struct timespec pause = { .tv_nsec = 5000000 };
	char path[96];

	port_path(server, port_idx, path, sizeof(path));
	while (access(path, F_OK)) {
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
			return -ECHILD;
		if (ontb_clock_ns() > deadline)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int server_start(struct server *server, const char *openntb, unsigned int nr_ports)
{
	char ports[16];

	*server = (struct server){ .dir = "/tmp/openntb-bench.XXXXXX" };
	if (!mkdtemp(server->dir))
		return -errno;
	(void)snprintf(ports, sizeof(ports), "%u", nr_ports);
	server->pid = fork();
	if (server->pid < 0)
		return -errno;
	if (!server->pid) {
		(void)freopen("/dev/null", "w", stdout);
		execl(openntb, openntb, "serve", "--ports", ports, "--socket-dir", server->dir, (char *)NULL);
		_exit(127);
	}
	return wait_for_socket(server, nr_ports - 1);
}

/* Host @p opens, in the control block of its peer, windows into its own memory and its own interrupt addresses. */
static int open_windows(struct client *client, unsigned int p, unsigned int peer)
{
	const struct {
		uint64_t offset;
		uint64_t value;
		uint32_t len;
	} writes[] = {
		{ CTRL_OP, OP_LOCK, 4 },
		{ CTRL_BAR(2), BAR_CTL_LUT, 4 },
		{ CTRL_LUT0, (uint64_t)p << 1 | 1, 8 },
		{ CTRL_BAR(4), BAR_CTL_DIRECT, 4 },
		{ CTRL_BAR(4) + 4, SIZE_2M, 4 },
		{ CTRL_BAR(4) + 8, 0xfee00000ULL | p, 8 },
		{ CTRL_OP, OP_CONFIGURE, 4 },
	};

	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		int ret = client_write(client, 0, CTRL(peer) + writes[i].offset, writes[i].value, writes[i].len);

		if (ret)
			return ret;
	}
	return 0;
}

int server_connect(struct server *server)
{
	unsigned int p = server->nr_hosts;
	char path[96];
	int ret;

	port_path(server, p, path, sizeof(path));
	ret = client_open(&server->hosts[p], path, HOST_RAM);
	if (ret)
		return ret;
	server->nr_hosts++;
	if (!(p & 1))
		return 0;
	ret = open_windows(&server->hosts[p], p, p - 1);
	return ret ? ret : open_windows(&server->hosts[p - 1], p - 1, p);
}

static int set_affinity(pid_t tid, int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (core >= 0) {
		CPU_SET((size_t)core, &set);
	} else {
		for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
			CPU_SET((size_t)i, &set);
	}
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

int server_pin(const struct server *server, int core)
{
	struct dirent *entry;
	char path[64];
	int ret = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)server->pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			ret = set_affinity((pid_t)strtol(entry->d_name, NULL, 10), core);
	}
	(void)closedir(dir);
	return ret ? ret : set_affinity(0, core);
}

long server_memory(const struct server *server)
{
	char path[64], line[128];
	long total = 0, kib;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)server->pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Private_Clean: %ld", &kib) == 1 || sscanf(line, "Private_Dirty: %ld", &kib) == 1)
			total += kib * 1024;
	}
	(void)fclose(file);
	return total;
}

void server_stop(struct server *server)
{
	for (unsigned int i = 0; i < server->nr_hosts; i++)
		client_close(&server->hosts[i]);
	(void)kill(server->pid, SIGTERM);
	(void)waitpid(server->pid, NULL, 0);
	if (rmdir(server->dir))
		fprintf(stderr, "bench: the server left something in %s: %s\n", server->dir, strerror(errno));
}
